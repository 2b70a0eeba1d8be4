// Who calls: bearer tokens of known users, tokens of identities that somebody else vouches for, client certificates of the lab's CA.
import { randomBytes } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { anonymous, type User } from "./authorization.ts";
import { unauthorized } from "./statuses.ts";

const masters = ["system:masters"];
/** As in the real control plane of the tests: `scheduler` may do what RBAC says, the others everything. */
const fixedUsers: readonly User[] = [
	{ name: "admin", groups: masters },
	{ name: "scheduler", groups: [] },
	{ name: "kubelets", groups: masters },
	{ name: "controllers", groups: masters },
];

export interface KnownUser {
	readonly name: string;
	readonly groups?: readonly string[];
	/** One of its own making unless told. */
	readonly token?: string;
}

export class Users {
	readonly #tokens: ReadonlyMap<string, string>;
	readonly #byToken: ReadonlyMap<string, User>;
	readonly #vouch: (token: string) => User | undefined;

	/** `tokens`: by user, of an earlier run. */
	constructor(others: readonly KnownUser[], tokens: Readonly<Record<string, string>>, vouch: (token: string) => User | undefined) {
		const users: KnownUser[] = [...fixedUsers, ...others];
		this.#tokens = new Map(users.map(({ name, token }) => [name, token ?? tokens[name] ?? randomBytes(24).toString("hex")]));
		this.#byToken = new Map(users.map(({ name, groups = [] }) => [this.#tokens.get(name) ?? "", { name, groups }]));
		this.#vouch = vouch;
	}

	token(user: string): string {
		const token = this.#tokens.get(user);
		if (token === undefined) throw new Error(`no user ${user}: expected one of ${[...this.#tokens.keys()].join(", ")}`);
		return token;
	}

	tokens(): Record<string, string> {
		return Object.fromEntries(this.#tokens);
	}

	/** Throws 401 for a token or certificate that is not good; a request with neither is anonymous. */
	authenticate(authorization: string | undefined, socket: TLSSocket): User {
		const certified = userOfCertificate(socket);
		if (certified !== null) return authenticated(certified);
		if (authorization === undefined) {
			if (socket.authorizationError && socket.getPeerX509Certificate() !== undefined) throw unauthorized();
			return anonymous;
		}
		const token = /^Bearer (.+)$/.exec(authorization)?.[1] ?? "";
		const user = this.#byToken.get(token) ?? this.#vouch(token);
		if (user === undefined) throw unauthorized();
		return authenticated(user);
	}
}

function authenticated({ name, groups }: User): User {
	return { name, groups: [...groups, "system:authenticated"] };
}

/** CN is the user, every O a group (apiserver, CommonNameUserConversion). Null without a certificate of our CA. */
function userOfCertificate(socket: TLSSocket): User | null {
	const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
	if (certificate === undefined) return null;
	const subject = certificate.subject.split("\n").map((part) => part.split("=") as [string, string]);
	const values = (type: string) => subject.filter(([name]) => name === type).map(([, value]) => value);
	const [name] = values("CN");
	return name === undefined ? null : { name, groups: values("O") };
}
