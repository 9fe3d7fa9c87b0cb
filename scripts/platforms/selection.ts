/** Tests that depend on Node.js and the transport: which of them run under which version. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_MAJORS } from '../../src/common/node-versions.ts';

/** One run of the tests under one version. */
export interface Pass {
  readonly transport: 'uws' | 'node';
  readonly files: readonly string[];
}

/**
 * Under the version of the image: everything except for the parts of a worker that are only
 * JavaScript.
 */
const OF_IMAGE = /^(client|integration|kafka|logging|primary|worker\/ingress)\/|^main\.test\.ts$/;

/**
 * Under the other versions: what Node.js and native packages provide. That is sockets, HTTP, TLS,
 * WebSocket, processes, signals, ports, compression, logging, and the client library on Node.js.
 */
const OF_OTHERS = [
  /^main\.test\.ts$/,
  /^client\/(node|package)\./,
  /^(kafka|logging)\//,
  /^primary\/(admin|ports|supervisor)\./,
  /^worker\/ingress\//,
  /^integration\/(descriptors|frames|http|http-[a-z-]+|idle-connections|other-platforms)\./,
  /^integration\/(parser-errors|processes|requests|rfc6455[a-z-]*|shipped|tls)\./,
  /^integration\/(transport-differential|unfinished-input|unread-[a-z]+)\./,
  /^integration\/faults\/(drain|rolling-restart|start|stop|tls|worker-hangs|worker-killed)\./,
];

/** With the transport of Node.js, under each version. */
const OF_NODE = [
  /^integration\/(frames|http|http-framing|http-gzip|rfc6455[a-z-]*|tls)\./,
  /^integration\/faults\/(drain|rolling-restart|stop)\./,
];

/** Tests that run alone and measure CPU time of this project's code, or test failures of Kafka. */
const EXCLUDED = /\/(hostile|outage-codes|stuck-lane|topic-deleted|worst-frames)\./;

/** Long tests that run here too: what they test differs by version and transport. */
const LONG = /\/(credit|kafka-ipv6|schema|unread-pongs|worker-killed)\.long\./;

/** Returns the major version of Node.js in the base of the image. @throws Error without one */
function imageMajor(root: string): string {
  const [, major] = /^ARG BASE=.*\/node:(\d+)-/m.exec(readText(root, 'Dockerfile')) ?? [];
  if (major === undefined) throw new Error('Dockerfile names no base node:VERSION');
  return major;
}

function readText(root: string, name: string): string {
  return readFileSync(join(root, name), 'utf8');
}

/**
 * Returns the tests to run under a version of Node.js.
 * @param root folder of the checkout
 */
export function passesOf(major: string, root: string): readonly Pass[] {
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /(?<!\.long)\.test\.ts$/.test(name) || LONG.test(name))
    .filter((name) => !EXCLUDED.test(name))
    .sort();
  const select = (patterns: readonly RegExp[]) =>
    tests
      .filter((name) => patterns.some((pattern) => pattern.test(name)))
      .map((name) => join('test', name));
  return [
    { transport: 'uws', files: select(major === imageMajor(root) ? [OF_IMAGE] : OF_OTHERS) },
    { transport: 'node', files: select(OF_NODE) },
  ];
}

/** Versions to run, the one of the image first: it finds most. */
export function majorsOf(root: string): readonly string[] {
  const image = imageMajor(root);
  return [image, ...NODE_MAJORS.filter((major) => major !== image)];
}
