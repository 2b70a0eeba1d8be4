// node tests/infra/write-snapshots.ts: predicts anew what the parameter files make. Read the difference before you commit it.
import { readFileSync, writeFileSync } from "node:fs";
import { parameterSets, parametersOf, snapshot } from "./compiler.ts";
import type { Prediction } from "./prediction.ts";

/** The compiler writes outputs in another order every time. */
function inOrder(prediction: Prediction): Prediction {
	return { ...prediction, outputs: Object.fromEntries(Object.entries(prediction.outputs).sort(([one], [other]) => (one < other ? -1 : 1))) };
}

for (const name of parameterSets) {
	const { status, stderr } = snapshot("overwrite", parametersOf(name));
	if (status !== 0) throw new Error(`predicting ${name}: ${stderr}`);
	const file = parametersOf(name).replace(".bicepparam", ".snapshot.json");
	writeFileSync(file, JSON.stringify(inOrder(JSON.parse(readFileSync(file, "utf8")) as Prediction), null, 2));
}
