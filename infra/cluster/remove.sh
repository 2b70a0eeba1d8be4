#!/bin/sh
# Takes everything of aks-reboot-scheduler out of a cluster, our cordons included.
#   remove.sh [--force] [GLOBAL ARGUMENTS OF KUBECTL, such as --context NAME]
# Needs kubectl and the rights of a cluster admin; for a private cluster see invoke.sh. It may be repeated.
# While reboots are in flight it touches nothing and ends with 3, unless forced.
set -eu

ours=aks-reboot-scheduler
part=app.kubernetes.io/part-of=$ours
in_flight=3

force=
if [ "${1-}" = --force ]; then
	force=yes
	shift
fi

# NAME RESOURCEVERSION UID CORDONED WHOSE MARK of each node that carries our mark. WHOSE is "theirs" where another named manager has set
# spec.unschedulable since; entries that the API server folded together (ancient-changes), or without a name, say nothing.
marked='{{range .items}}
{{- $marked := false}}{{$mark := ""}}{{$whose := "ours"}}
{{- range $key, $value := .metadata.annotations}}
{{- if eq $key "aks-reboot-scheduler/reboot"}}{{$marked = true}}{{$mark = $value}}{{end}}
{{- end}}
{{- range .metadata.managedFields}}{{$fields := .fieldsV1}}
{{- with .manager}}{{if and (ne . "aks-reboot-scheduler") (ne . "ancient-changes")}}
{{- with $fields}}{{with index . "f:spec"}}{{range $field, $_ := .}}
{{- if eq $field "f:unschedulable"}}{{$whose = "theirs"}}{{end}}
{{- end}}{{end}}{{end}}
{{- end}}{{end}}
{{- end}}
{{- if $marked}}{{.metadata.name}} {{.metadata.resourceVersion}} {{.metadata.uid}} {{if .spec.unschedulable}}true{{else}}false{{end}} {{$whose}} {{printf "%q\n" $mark}}{{end}}
{{- end}}'

held='{{range .items}}{{$name := .metadata.name}}
{{- range $key, $value := .metadata.annotations}}{{if eq $key "aks-reboot-scheduler/hold"}}{{printf "%s\n" $name}}{{end}}{{end}}
{{- end}}'

say() {
	printf '%s\n' "$*"
}

# Takes our mark off a node, and our cordon with it. Not a cordon that was there before us, that somebody has set since, or that came
# with a mark copied from another node. The resourceVersion makes the API server refuse it for a node that has changed.
give_back() {
	name=$1 version=$2 uid=$3 cordoned=$4 whose=$5 mark=$(printf '%s' "$6" | tr -d ' ')
	shift 6
	spec=
	case $mark in
	*'\"foundCordoned\":true'*) told='its cordon was there before us, and stays' ;;
	*'\"nodeUid\":\"'"$uid"'\"'*) told= ;;
	*'\"nodeUid\":\"'*) told='its mark is that of another node; a cordon stays' ;;
	# It cannot be read: it still says that the cordon was ours.
	*) told= ;;
	esac
	[ -n "$told" ] || [ "$cordoned" = true ] || told='it was not cordoned any more'
	[ -n "$told" ] || [ "$whose" = ours ] || told='somebody has cordoned it since, and it stays cordoned'
	if [ -z "$told" ]; then
		told='uncordoned'
		spec=',"spec":{"unschedulable":null}'
	fi
	patch='{"metadata":{"resourceVersion":"'$version'","annotations":{"aks-reboot-scheduler/reboot":null}}'$spec'}'
	if kubectl "$@" patch node "$name" --type=merge --field-manager="$ours" -p "$patch" >/dev/null; then
		say "node $name: mark taken off; $told"
	fi
}

nodes=$(kubectl "$@" get nodes -o go-template="$marked")
if [ -n "$nodes" ] && [ -z "$force" ]; then
	say "in flight: $(say "$nodes" | cut -d ' ' -f 1 | tr '\n' ' ')" >&2
	say "Take the cluster out of CLUSTERS, or hold it (HOLD, npm run hold), and wait until its scheduler has brought them back; then repeat this." >&2
	say "Where there is no scheduler any more: --force. A node whose reboot was asked for may still go down then." >&2
	exit $in_flight
fi

# First the rights: nothing new begins. Then what could still reboot a node; then the nodes.
kubectl "$@" delete clusterrolebinding -l "$part"
kubectl "$@" delete rolebinding -A -l "$part"
kubectl "$@" -n "$ours" delete pod -l app=reboot --grace-period=0 --force --wait=false
for attempt in 1 2 3 4 5; do
	nodes=$(kubectl "$@" get nodes -o go-template="$marked")
	[ -n "$nodes" ] || break
	say "$nodes" | while read -r name version uid cordoned whose mark; do
		give_back "$name" "$version" "$uid" "$cordoned" "$whose" "$mark" "$@" </dev/null
	done
done
[ -z "$nodes" ] || {
	say "still marked after $attempt attempts: $(say "$nodes" | cut -d ' ' -f 1 | tr '\n' ' ')" >&2
	exit 1
}
for name in $(kubectl "$@" get nodes -o go-template="$held"); do
	kubectl "$@" annotate node "$name" "$ours/hold-"
done

kubectl "$@" delete validatingadmissionpolicybinding,validatingadmissionpolicy,clusterrole -l "$part"
kubectl "$@" delete role -A -l "$part"
kubectl "$@" delete namespace "$ours" --ignore-not-found --timeout=5m
say "nothing of $ours is left"
