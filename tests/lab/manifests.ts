// The shipped manifests as `kubectl apply -k infra/cluster` would apply them, bound to an identity: as much of kustomize as they use.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import type { Manifest } from "../real/workloads.ts";

const folder = resolve(import.meta.dirname, "../../infra/cluster");

interface Kustomization {
	readonly resources: readonly string[];
	readonly configMapGenerator: readonly { readonly name: string; readonly namespace: string; readonly files: readonly string[] }[];
	readonly images: readonly { readonly name: string; readonly newName: string; readonly digest: string }[];
	readonly labels: readonly { readonly pairs: Readonly<Record<string, string>> }[];
}

/** `objectId`: whom the scheduler's rights are bound to. */
export function shippedManifests(objectId: string): Manifest[] {
	const kustomization = parse(read("kustomization.yaml")) as Kustomization;
	const generated = kustomization.configMapGenerator.map(configMap);
	const objects = kustomization.resources
		.flatMap((file) => parseAllDocuments(read(file)).map((each) => each.toJS() as Manifest))
		.filter((each) => annotationsOf(each)["config.kubernetes.io/local-config"] !== "true")
		.map((each) => bound(each, objectId))
		.map((each) => withImages(each, kustomization.images))
		.map((each) => withConfigMaps(each, generated));
	const labels = Object.assign({}, ...kustomization.labels.map((each) => each.pairs)) as Record<string, string>;
	// The namespace stands first; what is mounted is there before it is.
	const [namespace, ...rest] = objects;
	return [...(namespace === undefined ? [] : [namespace]), ...generated.map(({ manifest }) => manifest), ...rest].map((each) => labelled(each, labels));
}

/** The image that they name. */
export const shippedImage: string = (() => {
	const [image] = (parse(read("kustomization.yaml")) as Kustomization).images;
	if (image === undefined) throw new Error("infra/cluster/kustomization.yaml: expected an image");
	return `${image.newName}@${image.digest}`;
})();

function read(file: string): string {
	return readFileSync(join(folder, file), "utf8");
}

type Generated = { readonly name: string; readonly manifest: Manifest };

/** Its name carries a hash of the content: a changed script rolls the DaemonSet. */
function configMap({ name, namespace, files }: Kustomization["configMapGenerator"][number]): Generated {
	const data = Object.fromEntries(files.map((file) => [basename(file), read(file)]));
	const hash = createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 10);
	return { name, manifest: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: `${name}-${hash}`, namespace }, data } };
}

function annotationsOf({ metadata }: Manifest): Readonly<Record<string, string>> {
	return (metadata.annotations ?? {}) as Record<string, string>;
}

function labelled(manifest: Manifest, labels: Readonly<Record<string, string>>): Manifest {
	return { ...manifest, metadata: { ...manifest.metadata, labels: { ...(manifest.metadata.labels as object | undefined), ...labels } } };
}

function bound(manifest: Manifest, objectId: string): Manifest {
	const { "app.kubernetes.io/component": component } = (manifest.metadata.labels ?? {}) as Record<string, string>;
	if (component === "scheduler-policy") return withIdentity(manifest as Policy, objectId);
	if (component !== "scheduler") return manifest;
	const [subject, ...others] = manifest.subjects as readonly object[];
	return { ...manifest, subjects: [{ ...subject, name: objectId }, ...others] };
}

interface Policy extends Manifest {
	readonly spec: { readonly matchConditions: readonly { readonly expression: string }[] };
}

function withIdentity(policy: Policy, objectId: string): Manifest {
	const [first, ...others] = policy.spec.matchConditions;
	const expression = first?.expression.replace("SET-BY-KUSTOMIZE", objectId);
	return { ...policy, spec: { ...policy.spec, matchConditions: [{ ...first, expression }, ...others] } };
}

interface PodSpec {
	readonly containers: readonly { readonly image: string }[];
	readonly volumes?: readonly { readonly configMap?: { readonly name: string } }[];
}

function withPodSpec(manifest: Manifest, change: (spec: PodSpec) => PodSpec): Manifest {
	if (manifest.kind !== "DaemonSet") return manifest;
	const spec = manifest.spec as { readonly template: { readonly spec: PodSpec } };
	return { ...manifest, spec: { ...spec, template: { ...spec.template, spec: change(spec.template.spec) } } };
}

function withImages(manifest: Manifest, images: Kustomization["images"]): Manifest {
	return withPodSpec(manifest, (spec) => ({
		...spec,
		containers: spec.containers.map((container) => {
			const image = images.find((each) => each.name === container.image);
			return image === undefined ? container : { ...container, image: `${image.newName}@${image.digest}` };
		}),
	}));
}

function withConfigMaps(manifest: Manifest, generated: readonly Generated[]): Manifest {
	return withPodSpec(manifest, (spec) => ({
		...spec,
		volumes: (spec.volumes ?? []).map((volume) => {
			const found = generated.find((each) => each.name === volume.configMap?.name);
			return found === undefined ? volume : { ...volume, configMap: { ...volume.configMap, name: found.manifest.metadata.name } };
		}),
	}));
}
