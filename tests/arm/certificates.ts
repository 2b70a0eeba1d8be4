// A certificate authority of our own, made with node:crypto and the little of DER that it takes: tests need no openssl.
// Structures: RFC 5280, section 4.
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

export interface IssuedCertificate {
	/** PEM. */
	readonly certPem: string;
	readonly keyPem: string;
}

export interface IssueOptions {
	readonly commonName: string;
	/** Host names and IPv4 addresses of a server; none for a client. */
	readonly hosts?: readonly string[];
	readonly organization?: string;
	readonly notBefore?: Date;
	readonly notAfter?: Date;
}

export interface Authority extends IssuedCertificate {
	issue(options: IssueOptions): IssuedCertificate;
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
	const content = Buffer.concat(contents);
	if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
	const length = Buffer.from(content.length.toString(16).padStart(content.length > 0xff ? 4 : 2, "0"), "hex");
	return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}

const sequence = (...items: readonly Buffer[]): Buffer => der(0x30, ...items);
const octets = (content: Buffer): Buffer => der(0x04, content);
const yes = der(0x01, Buffer.from([0xff]));

function bits(content: Buffer, unused = 0): Buffer {
	return der(0x03, Buffer.from([unused]), content);
}

function oid(dotted: string): Buffer {
	const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
	const bytes = [first * 40 + second];
	for (const part of rest) {
		const septets = [part & 0x7f];
		for (let left = part >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80);
		bytes.push(...septets);
	}
	return der(0x06, Buffer.from(bytes));
}

function time(date: Date): Buffer {
	const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
	// UTCTime has two digits for the year and ends in 2049.
	return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

function distinguishedName(commonName: string, organization?: string): Buffer {
	const attribute = (type: string, value: string): Buffer => der(0x31, sequence(oid(type), der(0x0c, Buffer.from(value))));
	const name = [attribute("2.5.4.3", commonName)];
	if (organization !== undefined) name.unshift(attribute("2.5.4.10", organization));
	return sequence(...name);
}

function alternativeNames(hosts: readonly string[]): Buffer {
	return sequence(...hosts.map((host) => (isIPv4(host) ? der(0x87, Buffer.from(host.split(".").map(Number))) : der(0x82, Buffer.from(host)))));
}

function extensions(hosts: readonly string[], authority: boolean): Buffer {
	// keyCertSign and cRLSign, or digitalSignature.
	const usage = authority ? bits(Buffer.from([0x06]), 1) : bits(Buffer.from([0x80]), 7);
	const list = [sequence(oid("2.5.29.19"), yes, octets(sequence(...(authority ? [yes] : [])))), sequence(oid("2.5.29.15"), yes, octets(usage))];
	if (hosts.length > 0) list.push(sequence(oid("2.5.29.17"), octets(alternativeNames(hosts))));
	return der(0xa3, sequence(...list));
}

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));
const dayMs = 24 * 60 * 60_000;

function pem(content: Buffer): string {
	const lines = content.toString("base64").match(/.{1,64}/g) ?? [];
	return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function certify(options: IssueOptions, publicKey: KeyObject, issuer: { readonly name: Buffer; readonly key: KeyObject }, authority: boolean): string {
	const { notBefore = new Date(Date.now() - dayMs), notAfter = new Date(Date.now() + 365 * dayMs) } = options;
	const body = sequence(
		der(0xa0, der(0x02, Buffer.from([2]))),
		// A positive number without a leading zero octet.
		der(0x02, Buffer.concat([Buffer.from([0x4a]), randomBytes(15)])),
		ecdsaWithSha256,
		issuer.name,
		sequence(time(notBefore), time(notAfter)),
		distinguishedName(options.commonName, options.organization),
		publicKey.export({ type: "spki", format: "der" }),
		extensions(options.hosts ?? [], authority),
	);
	return pem(sequence(body, ecdsaWithSha256, bits(sign("sha256", body, issuer.key))));
}

/** A new authority; each has a key of its own, also under the same name. */
export function createAuthority(commonName = "test authority"): Authority {
	const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const certPem = certify({ commonName }, publicKey, { name: distinguishedName(commonName), key: privateKey }, true);
	return keptAuthority(commonName, { certPem, keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString() });
}

/** An authority that was made earlier, under the same name: what trusted it goes on trusting it. */
export function keptAuthority(commonName: string, { certPem, keyPem }: IssuedCertificate): Authority {
	const issuer = { name: distinguishedName(commonName), key: createPrivateKey(keyPem) };
	return {
		certPem,
		keyPem,
		issue(options) {
			const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
			return {
				certPem: certify(options, pair.publicKey, issuer, false),
				keyPem: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
			};
		},
	};
}
