// What a process in the sentinel's container can do to what lies under its mount: tried, not concluded from modes.
import type { RealNode } from "./cluster.ts";

export interface Reach {
	/** Of the process that tried: AppArmor profile, capabilities, seccomp, no_new_privs. */
	readonly confined: Readonly<Record<string, string>>;
	readonly readable: readonly string[];
	readonly writable: readonly string[];
	/** Sockets that accept a connection. */
	readonly connects: readonly string[];
	readonly refuses: readonly string[];
}

// Busybox judges `test -w` by the mode alone, so it is opened for writing, and nothing is written. A pipe would be waited on for ever.
const script = `
echo "confined AppArmor $(cat /proc/self/attr/current)"
sed -n 's/^\\(CapEff\\|CapBnd\\|NoNewPrivs\\|Seccomp\\|Groups\\):[[:space:]]*/confined \\1 /p' /proc/self/status
{ find /host/run; echo /host/run/containerd/containerd.sock; } 2>/dev/null | while IFS= read -r path; do
	if [ -L "$path" ]; then continue
	elif [ -S "$path" ]; then
		curl --silent --output /dev/null --max-time 1 --unix-socket "$path" http://socket/ </dev/null
		if [ $? = 7 ]; then echo "refuses $path"; else echo "connects $path"; fi
	elif [ -d "$path" ]; then
		if (: >"$path/.tried") 2>/dev/null; then rm "$path/.tried"; echo "writable $path"; fi
	elif [ -f "$path" ]; then
		if (: <"$path") 2>/dev/null; then echo "readable $path"; fi
		if (: >>"$path") 2>/dev/null; then echo "writable $path"; fi
	fi
done`;

export async function reachOf(cluster: RealNode, containerId: string): Promise<Reach> {
	const text = await cluster.machine.run(
		`ctr -n k8s.io tasks exec --exec-id reach ${containerId} /bin/sh -c "$(base64 -d <<'E'\n${Buffer.from(script).toString("base64")}\nE\n)"`,
	);
	const all = text.split("\n").map((line) => /^(\w+) (.*)$/.exec(line)?.slice(1) ?? ["other", line]);
	const of = (kind: string) => all.flatMap(([each, what = ""]) => (each === kind ? [what] : [])).sort();
	const confined = Object.fromEntries(of("confined").map((each) => [each.split(" ")[0] ?? "", each.split(" ").slice(1).join(" ")]));
	const datagrams = await takesDatagrams(cluster, of("refuses"));
	return {
		confined,
		readable: of("readable"),
		writable: of("writable"),
		connects: [...of("connects"), ...datagrams].sort(),
		refuses: of("refuses").filter((path) => !datagrams.includes(path)),
	};
}

/** No program in the image connects to a datagram socket: with its user and rights, from outside of its container. */
async function takesDatagrams({ machine }: RealNode, sockets: readonly string[]): Promise<readonly string[]> {
	const tries = sockets.map((path) => `${as(sentinelUser)} socat -u /dev/null UNIX-CONNECT:${path.replace("/host", "")},type=2 2>/dev/null && echo ${path}`);
	return (await machine.run([...tries, "true"].join("\n"))).split("\n").filter((line) => line.startsWith("/"));
}

export const sentinelUser = 65532;
/** A user that the node knows, without rights. */
export const nobody = 65534;

function as(uid: number): string {
	return `setpriv --reuid=${uid} --regid=${uid} --clear-groups --bounding-set=-all --no-new-privs`;
}

/** A call to systemd over the system bus: what it answered, or why not. */
export function callBus(cluster: RealNode, uid: number, method: string): Promise<string> {
	return cluster.machine.run(`${as(uid)} busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager ${method} || true`);
}
