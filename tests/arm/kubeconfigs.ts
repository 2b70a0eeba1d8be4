// Kubeconfigs as AKS hands them out, one function per kind of cluster.
import { stringify } from "yaml";

export interface KubeconfigCluster {
	readonly name: string;
	readonly server: string;
	readonly caPem: string;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The frame around a user. The current context is not the first one: taking the first of a list would go wrong. */
function kubeconfigWith(cluster: KubeconfigCluster, userName: string, user: object): string {
	const other = {
		cluster: { server: "https://other.invalid:443", "certificate-authority-data": base64("-----BEGIN CERTIFICATE-----\nother\n") },
		name: "other",
	};
	return stringify({
		apiVersion: "v1",
		kind: "Config",
		clusters: [other, { cluster: { "certificate-authority-data": base64(cluster.caPem), server: cluster.server }, name: cluster.name }],
		contexts: [
			{ context: { cluster: "other", user: "other" }, name: "other" },
			{ context: { cluster: cluster.name, user: userName }, name: cluster.name },
		],
		"current-context": cluster.name,
		preferences: {},
		users: [
			{ name: "other", user: { token: "of-another-user" } },
			{ name: userName, user },
		],
	});
}

/** A cluster with Entra ID: no secret in it. */
export function entraKubeconfig(cluster: KubeconfigCluster): string {
	const args = ["get-token", "--environment", "AzurePublicCloud", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630", "--login", "devicecode"];
	const exec = { apiVersion: "client.authentication.k8s.io/v1beta1", args, command: "kubelogin", env: null, provideClusterInfo: false };
	return kubeconfigWith(cluster, `clusterUser_rg_${cluster.name}`, { exec });
}

/** A cluster with Entra ID in the form of before Kubernetes 1.24. */
export function authProviderKubeconfig(cluster: KubeconfigCluster): string {
	const config = { "apiserver-id": "6dae42f8-4368-4678-94ff-3960e28e3630", environment: "AzurePublicCloud", "tenant-id": "tenant" };
	return kubeconfigWith(cluster, `clusterUser_rg_${cluster.name}`, { "auth-provider": { config, name: "azure" } });
}

/** A cluster without Entra ID: a client certificate and a token, both of a cluster admin. */
export function localAccountKubeconfig(cluster: KubeconfigCluster, certificate: { readonly certPem: string; readonly keyPem: string }, token: string): string {
	return kubeconfigWith(cluster, `clusterUser_rg_${cluster.name}`, {
		"client-certificate-data": base64(certificate.certPem),
		"client-key-data": base64(certificate.keyPem),
		token,
	});
}

/** A user with a token alone. */
export function tokenKubeconfig(cluster: KubeconfigCluster, token: string): string {
	return kubeconfigWith(cluster, `clusterUser_rg_${cluster.name}`, { token });
}
