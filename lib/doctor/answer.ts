// The doctor over HTTP: JSON, of all clusters or of `?cluster=NAME`.
import type { Answer, Asked } from "../status/exchange.ts";
import type { Configuration } from "../tick/tick.ts";
import { examine } from "./doctor.ts";
import { jsonOf } from "./findings.ts";
import type { DoctorWorld } from "./ports.ts";

/** 200 whatever it finds: `standing` tells. 404: no such cluster. */
export async function answerDoctor({ query }: Asked, configuration: Configuration, world: () => DoctorWorld): Promise<Answer> {
	const cluster = query.get("cluster");
	const diagnosis = await examine({ configuration, world, cluster });
	const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store", "x-content-type-options": "nosniff" };
	if (diagnosis !== null) return { status: 200, headers, body: jsonOf(diagnosis) };
	return { status: 404, headers, body: JSON.stringify({ error: `cluster=${cluster}: expected the name of a cluster of CLUSTERS` }) };
}
