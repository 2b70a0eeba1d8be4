// Problems quote what was written. Secrets that ended up in the wrong setting must not be quoted with it.
import type { SettingProblem } from "../plan/policy.ts";
import { entriesOf } from "./scopes.ts";

const notShown = "(not shown: it holds a secret)";
const longestPart = 200;
/** Storage keys, shared access signatures and addresses with credentials, wherever they stand. */
const secretForm = /AccountKey\s*=|SharedAccessSignature|[?&]sig=|\/\/[^/\s]*:[^/\s]*@/i;

export function withoutSecrets(problems: readonly SettingProblem[], env: Readonly<Record<string, string | undefined>>): readonly SettingProblem[] {
	const secrets = [env.AzureWebJobsStorage ?? "", ...entriesOf(env.AzureWebJobsStorage ?? ""), ...entriesOf(env.NOTIFY_URLS ?? "")].filter(isLong);
	return problems.map((problem) => {
		const { part } = problem;
		if (part === null) return problem;
		const secret = secretForm.test(part) || secrets.some((each) => part.includes(each) || (isLong(part) && each.includes(part)));
		return { ...problem, part: secret ? notShown : part.slice(0, longestPart) };
	});
}

/** Short texts prove nothing: `true` may stand in a connection string too. */
function isLong(text: string): boolean {
	return text.length >= 12;
}
