import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { KIB, MIB } from '../../src/config/limits.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { missingTool } from '../../testing/tools.ts';
import { build, type Manifest, missingValidator, schemaErrors } from '../support/kubernetes.ts';

const FOLDER = 'deploy/kubernetes';
const skip = missingTool('kubectl') || missingValidator();
/** Defined by the Prometheus operator, not by Kubernetes. */
const FOREIGN = 'ServiceMonitor';

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

type Labels = Readonly<Record<string, string>>;

interface Selector {
  readonly matchLabels: Labels;
}

interface Container {
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly resources: Record<'requests' | 'limits', Record<string, string>>;
}

interface Deployment {
  readonly selector: Selector;
  readonly strategy: { readonly rollingUpdate: Record<string, number> };
  readonly template: {
    readonly metadata: { readonly labels: Labels };
    readonly spec: {
      readonly terminationGracePeriodSeconds: number;
      readonly topologySpreadConstraints: readonly { readonly labelSelector: Selector }[];
      readonly containers: readonly Container[];
    };
  };
}

const BUILDS = ['base', 'overlays/production'];

function of(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind);
  assert(found !== undefined, `there is a ${kind}`);
  return found;
}

/** Output of kustomize for the production overlay with this component. */
function withComponent(t: TestContext, component: string): Manifest[] {
  const dir = mkdtempSync(join(tmpdir(), 'forebay-kustomize-'));
  const from = (path: string) => relative(realpathSync(dir), resolve(FOLDER, path));
  t.after(() => rmSync(dir, { recursive: true }));
  const text = `kind: Kustomization
resources: [${from('overlays/production')}]
components: [${from(`components/${component}`)}]
`;
  writeFileSync(join(dir, 'kustomization.yaml'), text);
  return build(dir);
}

for (const name of BUILDS) {
  test(`${name}: the schemas of Kubernetes accept each field`, { skip }, () => {
    const manifests = build(join(FOLDER, name));
    assert.deepEqual(schemaErrors(manifests), []);
    const kinds = manifests.map(({ kind }) => kind).sort();
    assert.deepEqual(kinds, [
      'ConfigMap',
      'Deployment',
      'HorizontalPodAutoscaler',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
      'Service',
    ]);
  });

  test(`${name}: settings exist and have valid values`, { skip }, () => {
    const { data } = of(build(join(FOLDER, name)), 'ConfigMap') as unknown as {
      data: Record<string, string>;
    };
    const known = Object.values(SETTINGS).map(({ env }) => env);
    for (const setting of Object.keys(data)) assert(known.includes(setting), `${setting} is one`);
    // Files are in the cluster, and a login needs one.
    const values = Object.entries(data).filter(([setting]) => !/_FILE$|_SASL_/.test(setting));
    const { prestopMs, drainTimeoutMs } = readConfig(Object.fromEntries(values));
    const { spec } = of(build(join(FOLDER, name)), 'Deployment') as unknown as { spec: Deployment };
    const { terminationGracePeriodSeconds, containers } = spec.template.spec;
    const hookSeconds = containers[0]!.lifecycle.preStop.sleep.seconds;
    const graceMs = (terminationGracePeriodSeconds - hookSeconds) * 1_000;
    assert(graceMs > prestopMs + drainTimeoutMs + 1_000, `${graceMs} ms`);
  });
}

/** A line for each label, port or name that matches no other object. */
function referenceDefects(manifests: readonly Manifest[]): string[] {
  const { metadata, spec } = of(manifests, 'Deployment') as unknown as {
    metadata: Manifest['metadata'];
    spec: Deployment;
  };
  const pod = spec.template.metadata.labels;
  const [{ ports, envFrom }] = spec.template.spec.containers as [Container];
  const selects = (labels: Labels) =>
    Object.entries(labels).every(([label, value]) => pod[label] === value);
  const hasPort = (port: string | number) => ports.some(({ name }) => name === port);
  const defects: string[] = [];
  const demand = (isSo: boolean, what: string) => {
    if (!isSo) defects.push(what);
  };
  demand(selects(spec.selector.matchLabels), 'Deployment selects');
  for (const { labelSelector } of spec.template.spec.topologySpreadConstraints) {
    demand(selects(labelSelector.matchLabels), 'Deployment spreads');
  }
  demand(envFrom[0]!.configMapRef.name === of(manifests, 'ConfigMap').metadata.name, 'settings');
  for (const manifest of manifests.filter(({ kind }) => kind === 'Service')) {
    const service = manifest.spec as { selector: Labels; ports: { targetPort: string }[] };
    demand(selects(service.selector), `${manifest.metadata.name} selects`);
    for (const { targetPort } of service.ports) {
      demand(hasPort(targetPort), `${manifest.metadata.name}: port ${targetPort}`);
    }
  }
  const budget = of(manifests, 'PodDisruptionBudget').spec as { selector: Selector };
  demand(selects(budget.selector.matchLabels), 'PodDisruptionBudget selects');
  const policy = of(manifests, 'NetworkPolicy').spec as {
    podSelector: Selector;
    ingress: { ports: { port: string }[] }[];
  };
  demand(selects(policy.podSelector.matchLabels), 'NetworkPolicy selects');
  for (const { port } of policy.ingress.flatMap((rule) => rule.ports)) {
    demand(hasPort(port), `NetworkPolicy: port ${port}`);
  }
  const scaler = of(manifests, 'HorizontalPodAutoscaler').spec as {
    scaleTargetRef: { name: string };
  };
  demand(scaler.scaleTargetRef.name === metadata.name, 'HorizontalPodAutoscaler scales');
  return defects;
}

test('labels select the pods, and ports are the container’s; a wrong one is found', {
  skip,
}, () => {
  for (const name of BUILDS) assert.deepEqual(referenceDefects(build(join(FOLDER, name))), []);
  const text = JSON.stringify(build(join(FOLDER, 'base')));
  const defects = [
    ['"targetPort":"admin"', '"targetPort":"admn"', 'forebay-admin: port admn'],
    ['"port":"clients"', '"port":"client"', 'NetworkPolicy: port client'],
    [
      '"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"forebay"}',
      '"scaleTargetRef":{"name":"x"}',
      'HorizontalPodAutoscaler scales',
    ],
    [
      '"podSelector":{"matchLabels":{"app.kubernetes.io/name":"forebay"}}',
      '"podSelector":{"matchLabels":{"app.kubernetes.io/name":"x"}}',
      'NetworkPolicy selects',
    ],
  ] as const;
  for (const [right, wrong, said] of defects) {
    assert(text.includes(right), right);
    assert.deepEqual(referenceDefects(JSON.parse(text.replace(right, wrong))), [said]);
  }
});

test('a misspelled field, and one of the wrong type, are found', { skip }, () => {
  const text = JSON.stringify(build(join(FOLDER, 'base')));
  const defects = [
    ['"readOnlyRootFilesystem"', '"readOnlyRootFileSystem"'],
    ['"containerPort":9000', '"containerPort":"clients"'],
    ['"maxSurge"', '"maxsurge"'],
  ] as const;
  for (const [right, wrong] of defects) {
    assert(text.includes(right), right);
    const manifests = JSON.parse(text.replace(right, wrong)) as Manifest[];
    assert.equal(schemaErrors(manifests).length, 1, wrong);
  }
});

test('the service monitor selects the service of the admin port', { skip }, (t) => {
  const manifests = withComponent(t, 'service-monitor');
  assert.deepEqual(schemaErrors(manifests.filter(({ kind }) => kind !== FOREIGN)), []);
  const { spec } = of(manifests, FOREIGN) as unknown as {
    spec: {
      selector: { matchLabels: Record<string, string> };
      endpoints: { port: string; path: string }[];
    };
  };
  const wanted = Object.entries(spec.selector.matchLabels);
  const found = manifests.filter(
    ({ kind, metadata }) =>
      kind === 'Service' && wanted.every(([label, value]) => metadata.labels?.[label] === value),
  );
  assert.deepEqual(
    found.map(({ metadata }) => metadata.name),
    ['forebay-admin'],
  );
  const { ports } = found[0]!.spec as { ports: { name: string; port: number }[] };
  const [endpoint] = spec.endpoints;
  assert.equal(ports.find(({ name }) => name === endpoint!.port)?.port, readConfig({}).adminPort);
  assert.equal(endpoint!.path, '/metrics');
});

const deployment = parse(readFileSync(join(FOLDER, 'base/deployment.yaml'), 'utf8')) as {
  spec: Deployment;
};
const [container] = deployment.spec.template.spec.containers;

test('ports are those of a gateway, and probes use its paths', () => {
  const { port, adminPort } = readConfig({});
  assert.deepEqual(
    container!.ports.map(({ name, containerPort }) => [name, containerPort]),
    [
      ['clients', port],
      ['admin', adminPort],
    ],
  );
  const { startupProbe, readinessProbe, livenessProbe } = container!;
  assert.deepEqual(
    [startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet),
    ['/livez', '/readyz', '/livez'].map((path) => ({ path, port: 'admin' })),
  );
});

test('the memory limit covers the buffers, including that of a worker being replaced', () => {
  const text = readFileSync(join(FOLDER, 'base/settings.env'), 'utf8');
  const settings = Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split('=')),
  );
  const { workers, bufferBytes, maxConnections } = readConfig(settings);
  // Sum as in docs/sizing.md: primary, workers, connections.
  const workerBytes = bufferBytes + 120 * MIB;
  const least = 66 * MIB + (workers + 1) * workerBytes + workers * maxConnections * 6 * KIB;
  assert.equal(container!.resources.limits.memory, '1Gi');
  assert(1024 * MIB > least, `${least}`);
  assert.equal(Number(container!.resources.requests.cpu), workers, 'a core per worker');
});

test('an update removes no pod before the new one serves, and the image is this version', () => {
  assert.deepEqual(deployment.spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
  const kustomization = parse(readFileSync(join(FOLDER, 'base/kustomization.yaml'), 'utf8'));
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  assert.deepEqual(kustomization.images, [{ name: container!.image, newTag: version }]);
});
