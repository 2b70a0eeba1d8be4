// Which Azure Resource Manager: the public cloud's, or the one that a setting names.
import type { SettingProblem } from "../plan/policy.ts";
import type { Environment } from "./identity.ts";

export const armUrlSetting = "AZURE_RESOURCE_MANAGER_URL";
const expected = "the https:// address of a cloud's Resource Manager without a path, such as https://management.usgovcloudapi.net";

/**
 * `AZURE_RESOURCE_MANAGER_URL`: undefined for the public cloud. Only https, since a token is sent there; that of the identity is asked for
 * this very address, so it is of no use elsewhere.
 */
export function readArmUrl(env: Environment): { readonly url: string | undefined } | { readonly problem: SettingProblem } {
	const text = env[armUrlSetting];
	if (text === undefined) return { url: undefined };
	const wrong = { problem: { setting: armUrlSetting, part: text, expected } };
	if (!URL.canParse(text)) return wrong;
	const { protocol, origin, pathname, search, hash, username, password } = new URL(text);
	const plain = pathname === "/" && search === "" && hash === "" && username === "" && password === "";
	return protocol === "https:" && plain ? { url: origin } : wrong;
}
