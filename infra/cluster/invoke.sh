#!/bin/sh
# Prints the commands that onboard private clusters, or take everything of ours out of them, by `az aks command invoke`: no way to their
# API servers is needed. Look at them, then run them: append | sh
#   invoke.sh apply [-k OVERLAY] CLUSTER-ID…     writes aks-reboot-scheduler.yaml into the working directory
#   invoke.sh remove [--force] CLUSTER-ID…       see remove.sh
# CLUSTER-ID: /subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/NAME
# `apply` needs kubectl, to put the manifests together; it asks no cluster.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
manifest=$(pwd)/aks-reboot-scheduler.yaml
nobody=00000000-0000-0000-0000-000000000000

fail() {
	printf '%s\n' "$*" >&2
	exit 2
}

# For a shell, in single quotes.
quoted() {
	printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

invocation() {
	command=$1 file=$2 id=$3
	subscription=$(printf '%s' "$id" | cut -d / -f 3)
	group=$(printf '%s' "$id" | cut -d / -f 5)
	name=$(printf '%s' "$id" | cut -d / -f 9)
	case $id in
	/*/*/*/*/*/*/*/*/*) fail "$id: expected the resource id of a managed cluster" ;;
	/subscriptions/?*/*/?*/*/*/*/?*) ;;
	*) fail "$id: expected the resource id of a managed cluster" ;;
	esac
	printf 'az aks command invoke --subscription %s --resource-group %s --name %s --command %s --file %s\n' \
		"$(quoted "$subscription")" "$(quoted "$group")" "$(quoted "$name")" "$(quoted "$command")" "$(quoted "$file")"
}

action=${1-}
[ $# -eq 0 ] || shift
case $action in
apply)
	overlay=$here
	if [ "${1-}" = -k ]; then
		overlay=${2-}
		shift 2
	fi
	file=$manifest
	command="kubectl apply -f $(basename "$manifest")"
	;;
remove)
	file=$here/remove.sh
	command='sh remove.sh'
	if [ "${1-}" = --force ]; then
		command="$command --force"
		shift
	fi
	;;
*) fail "usage: invoke.sh apply [-k OVERLAY] CLUSTER-ID…, invoke.sh remove [--force] CLUSTER-ID…" ;;
esac
[ $# -gt 0 ] || fail "which clusters? az aks list --query '[].id' --output tsv"

commands=$(for id in "$@"; do invocation "$command" "$file" "$id"; done)
if [ "$action" = apply ]; then
	built=$(kubectl kustomize "$overlay")
	case $built in
	*"$nobody"*) fail "$overlay: it names nobody as the scheduler; expected its object id in scheduler-identity.yaml" ;;
	esac
	printf '%s\n' "$built" >"$manifest"
fi
printf '%s\n' "$commands"
