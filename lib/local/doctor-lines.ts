// The doctor's findings for people.
import { allFindings, type Check, type Diagnosis, type Finding, notAsked, type Standing, type Verdict } from "../doctor/findings.ts";
import { harmless, type Paint, type Style } from "./screen.ts";
import { wrapped } from "./terminal.ts";

const styles: Readonly<Record<Standing, Style>> = { good: "green", bad: "red", unknown: "yellow" };

const names: Readonly<Record<Check, string>> = {
	settings: "settings",
	windows: "windows",
	table: "table",
	clock: "clock",
	azure: "in Azure",
	nodeOsChannel: "node OS channel",
	credentials: "credentials",
	apiServer: "API server",
	version: "Kubernetes",
	rights: "rights",
	sentinel: "sentinel",
	admissionPolicies: "policies",
	rebootPod: "reboot pod",
	owner: "owner",
};

const standingWidth = 7;
const nameWidth = Math.max(...Object.values(names).map((name) => name.length));
const narrowest = 30;

/** `columns` null: lines are never broken. */
export function doctorLines(diagnosis: Diagnosis, columns: number | null, paint: Paint): readonly string[] {
	const lines = (findings: readonly Finding[]) => inOneLine(findings).flatMap((each) => findingLines(each, columns, paint));
	return [
		paint("bold", "scheduler"),
		...lines(diagnosis.scheduler),
		...diagnosis.clusters.flatMap(({ cluster, findings }) => ["", paint("bold", `cluster ${harmless(cluster)}`), ...lines(findings)]),
		"",
		tally(diagnosis),
	];
}

interface Line extends Verdict {
	readonly name: string;
}

/** What was not asked is one line. */
function inOneLine(findings: readonly Finding[]): readonly Line[] {
	const lines = findings.map(({ check, ...verdict }) => ({ name: names[check], ...verdict }));
	const asked = lines.filter(({ says }) => says !== notAsked.says);
	const rest = lines.filter(({ says }) => says === notAsked.says).map(({ name }) => name);
	return rest.length === 0 ? asked : [...asked, { ...notAsked, name: notAsked.says, says: rest.join(", ") }];
}

function findingLines({ name, standing, says, toDo }: Line, columns: number | null, paint: Paint): readonly string[] {
	const head = `  ${paint(styles[standing], standing.padEnd(standingWidth))}  ${name.padEnd(nameWidth)}  `;
	const indent = " ".repeat(2 + standingWidth + 2 + nameWidth + 2);
	const broken = (words: string) => (columns === null ? [words] : wrapped(words, Math.max(narrowest, columns - indent.length)));
	const [first = "", ...rest] = broken(harmless(says));
	return [`${head}${first}`, ...[...rest, ...(toDo === null ? [] : broken(`to do: ${harmless(toDo)}`))].map((each) => `${indent}${each}`)];
}

function tally(diagnosis: Diagnosis): string {
	const count = (standing: Standing) => allFindings(diagnosis).filter((each) => each.standing === standing).length;
	const [bad, unknown] = [count("bad"), count("unknown")];
	return bad + unknown === 0 ? "all is good" : `bad=${bad} unknown=${unknown} good=${count("good")}`;
}
