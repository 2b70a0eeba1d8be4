#!/bin/sh
# The sentinel: looks whether this node wants a reboot and says so on its own pod, never on the node.
#   report.sh         look and report until SIGTERM
#   report.sh ready   exit 0 if the last look succeeded and was reported, not long ago (the readiness probe)
# POSIX shell and curl on a stock image: runs under dash, busybox ash and bash. What is written is read by the scheduler:
#   label      aks-reboot-scheduler/reboot-required: "true", there only while a reboot is needed
#   annotation aks-reboot-scheduler/report: {"bootId","since","kernel","packages"}
set -u
export LC_ALL=C

interval=${SENTINEL_INTERVAL:-60}                # seconds between looks
backoff_max=${SENTINEL_BACKOFF_MAX:-300}         # seconds, the longest wait after failed calls
reread_looks=${SENTINEL_REREAD_LOOKS:-60}        # own pod is read again after this many looks: someone may have edited it
run=${SENTINEL_RUN:-/host/run}                   # the node's /var/run
boot_id_file=${SENTINEL_BOOT_ID_FILE:-/proc/sys/kernel/random/boot_id}
command=${SENTINEL_COMMAND:-}                    # instead of the file: exit 0 yes, 1 no, anything else unknown
command_timeout=${SENTINEL_COMMAND_TIMEOUT:-30}  # seconds
state=${SENTINEL_STATE:-/state}                  # writable, emptied by a reboot
credentials=${SENTINEL_CREDENTIALS:-/var/run/secrets/kubernetes.io/serviceaccount}
export TMPDIR="$state"

packages_max=100
package_length_max=100

flag=$run/reboot-required
child=
said=

# A line of the log, once as long as it stays true.
say() {
	[ "$*" = "$said" ] || printf '%s\n' "$*"
	said=$*
}

# Everything that may take long runs in the background and is waited for: a shell answers a signal only after its foreground command,
# and a PID 1 that is deaf to SIGTERM delays the node's reboot by 90 s.
stop() {
	[ -z "$child" ] || kill "$child" 2>/dev/null
	exit 0
}

await() {
	child=$1
	wait "$child"
	awaited=$?
	child=
	return "$awaited"
}

pause() {
	sleep "$1" &
	await $!
}

is_ready() {
	touched=$(date -r "$state/ready" +%s 2>/dev/null) || return 1
	# A loop that hangs must not stay ready.
	[ $(($(date +%s) - touched)) -le $((interval * 3 + 60)) ]
}

# Printable ASCII only, so that nothing but the quote and the backslash needs an escape.
printable() {
	tr -c '\n\040-\176' '?'
}

escaped() {
	sed 's/[\\"]/\\&/g'
}

# The other way round, from an answer of the API server (which also escapes what HTML could trip over).
unescaped() {
	backslash=$(printf '\001')
	sed -e "s/\\\\\\\\/$backslash/g" -e 's/\\u003c/</g' -e 's/\\u003e/>/g' -e 's/\\u0026/\&/g' -e 's/\\"/"/g' -e "s/$backslash/\\\\/g"
}

# --- looking ---

# Sets boot; a report without it means nothing.
read_boot_id() {
	boot=
	{ IFS= read -r boot <"$boot_id_file"; } 2>/dev/null
	case $boot in
	*[!0-9a-f-]* | '') why="cannot read a boot id from $boot_id_file" ;;
	????????-????-????-????-????????????) return 0 ;;
	*) why="cannot read a boot id from $boot_id_file" ;;
	esac
	return 1
}

# Sets asks to yes or no. Fails with why: a look that could not be made is neither.
look_for_file() {
	# As stat has it: a directory, an unreadable file or an empty one of that name all count.
	if [ -e "$flag" ]; then
		asks=yes
	elif [ -L "$flag" ]; then
		why="$flag is a symbolic link that leads nowhere as seen from here"
		return 1
	elif [ -d "$run" ] && [ -x "$run" ]; then
		asks=no
	else
		why="cannot look into $run"
		return 1
	fi
}

look_by_command() {
	timeout "$command_timeout" /bin/sh -c "$command" >/dev/null 2>&1 </dev/null &
	await $!
	case $? in
	0) asks=yes ;;
	1) asks=no ;;
	124 | 143) why="SENTINEL_COMMAND did not end within $command_timeout s" && return 1 ;;
	*) why="SENTINEL_COMMAND ended with $awaited; 0 says yes, 1 says no" && return 1 ;;
	esac
}

# When the file was written; now, where that cannot be said or lies ahead (a clock that was off at boot).
flag_time() {
	now=$(date +%s)
	touched=$([ -n "$command" ] || date -r "$flag" +%s 2>/dev/null)
	if [ -n "$touched" ] && [ "$touched" -le "$now" ] 2>/dev/null; then
		date -u -r "$flag" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null && return
	fi
	date -u +%Y-%m-%dT%H:%M:%SZ
}

# The names in reboot-required.pkgs as JSON strings: each once, in the order of the file, bounded in number and length.
packages() {
	# Only a regular file: reading a pipe would never end.
	[ -f "$flag.pkgs" ] && [ -r "$flag.pkgs" ] || return
	head -c 65536 "$flag.pkgs" | printable | cut -c "1-$package_length_max" | sed -e 's/^ *//' -e 's/ *$//' -e '/^$/d' | escaped | {
		list=
		count=0
		while IFS= read -r name && [ "$count" -lt "$packages_max" ]; do
			case ,$list, in *",\"$name\","*) continue ;; esac
			list="$list${list:+,}\"$name\""
			count=$((count + 1))
		done
		printf '%s' "$list"
	}
}

# Sets label and report; fails with why.
look() {
	why=
	read_boot_id || return 1
	if [ -n "$command" ]; then look_by_command; else look_for_file; fi || return 1
	[ "$boot" = "$since_boot" ] || since=
	since_boot=$boot
	label=null
	list=
	if [ "$asks" = yes ]; then
		label='"true"'
		# The first time seen in this boot stands: Azure Linux touches the file every day.
		[ -n "$since" ] || since=$(flag_time)
		list=$(packages)
	else
		since=
	fi
	report="{\"bootId\":\"$boot\",\"since\":${since:+\"}${since:-null}${since:+\"},\"kernel\":\"$kernel\",\"packages\":[$list]}"
}

# --- reporting ---

# One request about the own pod. The body, if any, is $state/patch. Sets status; the answer is in $state/answer.
# The token is read anew each time (it rotates) and goes to curl by its standard input: a command line is there for all to read.
request() {
	status=000
	token=
	{ IFS= read -r token <"$credentials/token"; } 2>/dev/null
	if [ -z "$token" ]; then
		why="cannot read $credentials/token"
		return 1
	fi
	set -- --request "$@"
	printf 'header = "Authorization: Bearer %s"\n' "$token" |
		curl --disable --config - --silent --show-error --noproxy '*' --cacert "$credentials/ca.crt" --max-time 30 \
			--user-agent aks-reboot-scheduler-sentinel --header 'Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' \
			--output "$state/answer" --write-out '%{http_code}' "$@" "$pod_url" >"$state/status" 2>"$state/error" &
	await $!
	code=$?
	token=
	{ IFS= read -r status <"$state/status"; } 2>/dev/null
	[ "$status" = 200 ] && [ "$code" = 0 ] && return 0
	if [ "${status:-000}" = 000 ] || [ "$code" != 0 ]; then
		why="$2 $pod_url: $(head -n 1 "$state/error" | printable | cut -c 1-200)"
	else
		why="$2 $pod_url: $status $(tr '\n' ' ' <"$state/answer" | sed -n 's/.*"message": *"\(.*\)", *"reason".*/\1/p' | unescaped | printable | cut -c 1-300)"
	fi
	return 1
}

# What this pod says already: the time first seen in this boot outlives the container, and nothing is written twice.
# (In the API server's JSON a quote inside of the report is always escaped: the first bare one after its last brace ends it.)
read_own_pod() {
	request GET || return 1
	written=$(sed -n 's/.*"aks-reboot-scheduler\/report": *"//p' "$state/answer" | head -n 1 | sed 's/]}".*/]}/' | unescaped)
	written_label=null
	grep -q '"aks-reboot-scheduler/reboot-required": *"true"' "$state/answer" && written_label='"true"'
	[ -n "$since_boot" ] || remember
	reread_at=$((looks + reread_looks))
}

# Takes boot id and time from the report of a container before this one.
remember() {
	rest=${written#*'"bootId":"'}
	since_boot=${rest%%\"*}
	rest=${written#*'"since":"'}
	since=${rest%%\"*}
	case $since in
	*[!0-9TZ:-]*) since= ;;
	????-??-??T??:??:??Z) ;;
	*) since= ;;
	esac
}

write_report() {
	printf '{"metadata":{"labels":{"aks-reboot-scheduler/reboot-required":%s},"annotations":{"aks-reboot-scheduler/report":"%s"}}}' \
		"$label" "$(printf '%s\n' "$report" | escaped)" >"$state/patch"
	request PATCH --header 'Content-Type: application/merge-patch+json' --data-binary "@$state/patch" || return 1
	written=$report
	written_label=$label
	say "reported: $report"
}

report_if_changed() {
	if [ "$label" != "$written_label" ] || [ "$report" != "$written" ]; then write_report; fi
}

# Seconds to wait after this many failures in a row: 2, 4, 8 … at most backoff_max, of which the upper half is left to chance,
# so that the nodes of a cluster do not come back all at once.
backoff() {
	wait_s=2
	n=1
	while [ "$n" -lt "$1" ] && [ "$wait_s" -lt "$backoff_max" ]; do
		wait_s=$((wait_s * 2))
		n=$((n + 1))
	done
	[ "$wait_s" -le "$backoff_max" ] || wait_s=$backoff_max
	chance=$(od -An -N2 -tu2 /dev/urandom | tr -cd 0-9)
	printf '%s' $((wait_s - wait_s / 2 + ${chance:-0} % (wait_s / 2 + 1)))
}

start() {
	for tool in curl cut date grep head od sed sleep timeout tr uname; do
		command -v "$tool" >/dev/null || {
			say "the image has no $tool"
			exit 1
		}
	done
	# Left over from a container before this one.
	rm -f "$state/ready" || exit 1
	host=${KUBERNETES_SERVICE_HOST:?is set by the kubelet}
	case $host in *:*) host="[$host]" ;; esac
	pod_url="https://$host:${KUBERNETES_SERVICE_PORT:?is set by the kubelet}/api/v1/namespaces/${POD_NAMESPACE:?is set by the DaemonSet}/pods/${POD_NAME:?is set by the DaemonSet}"
}

failed() {
	rm -f "$state/ready"
	say "not reported: $why"
	failures=$((failures + 1))
	wait_s=$(backoff "$failures")
}

round() {
	looks=$((looks + 1))
	wait_s=$interval
	if [ "$looks" -ge "$reread_at" ] && ! read_own_pod; then
		failed
	elif ! look; then
		# The last report stands, and nobody may take it for today's.
		rm -f "$state/ready"
		say "unknown whether a reboot is needed: $why"
	elif ! report_if_changed; then
		failed
	else
		failures=0
		touch "$state/ready" || exit 1
	fi
}

main() {
	trap stop TERM INT
	start
	# Another kernel is another boot, and another container.
	kernel=$(uname -r | printable | escaped)
	looks=0
	reread_at=0
	failures=0
	written=
	written_label=
	since=
	since_boot=
	while :; do
		round
		pause "$wait_s"
	done
}

case ${1:-} in
'') main ;;
ready) is_ready ;;
*)
	echo "usage: report.sh [ready]" >&2
	exit 2
	;;
esac
