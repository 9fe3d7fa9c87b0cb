/**
 * A Kafka of one node that authenticates clients. Its certificate is valid for `localhost` only.
 *
 *   SASL_SSL         alice, carol (SCRAM), bob, dave (PLAIN); sessions of SCRAM-SHA-256 are short
 *   SSL              a client certificate of the same authority, `CN=client`
 *   SASL_PLAINTEXT   bob, dave (PLAIN)
 *   PLAINTEXT        no authentication, for the test itself
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import kafkajs from 'kafkajs';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import type { Authority } from '../../testing/certificates.ts';
import { createTopic, testKafka } from '../../testing/topic.ts';

/** Session lifetime of logins by SCRAM-SHA-256. */
export const SESSION_MS = 3_000;
const LOGIN_MODULES = 'org.apache.kafka.common.security';
const SCRAM = `${LOGIN_MODULES}.scram.ScramLoginModule required;`;
const PLAIN =
  `${LOGIN_MODULES}.plain.PlainLoginModule required ` +
  'user_bob="bob-secret" user_dave="dave-secret";';
/** Superusers; other users need ACLs. */
const SUPER_USERS = ['ANONYMOUS', 'alice', 'bob', 'carol', 'CN=client'].map(
  (name) => `User:${name}`,
);

/** Starts a cluster whose certificate is valid for `localhost` only. */
export function startSecureKafka(authority: Authority): Promise<KafkaCluster> {
  const { certFile, keyFile } = authority.issue('broker', { hosts: 'DNS:localhost' });
  const store = readFileSync(keyFile, 'utf8') + readFileSync(certFile, 'utf8');
  const scramUsers = ['alice', 'carol'].flatMap((name) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(
      (mechanism) => `${mechanism}=[name=${name},password=${name}-secret]`,
    ),
  );
  const sasl = 'listener.name.sasl_ssl';
  return startCluster({
    secure: ['SASL_SSL', 'SSL', 'SASL_PLAINTEXT'],
    scramUsers,
    overrides: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': authority.file('broker-store.pem', store),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': authority.caFile,
      'listener.name.ssl.ssl.client.auth': 'required',
      [`${sasl}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      [`${sasl}.plain.sasl.jaas.config`]: PLAIN,
      [`${sasl}.scram-sha-256.sasl.jaas.config`]: SCRAM,
      [`${sasl}.scram-sha-512.sasl.jaas.config`]: SCRAM,
      [`${sasl}.scram-sha-256.connections.max.reauth.ms`]: String(SESSION_MS),
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': SUPER_USERS.join(';'),
      'listener.name.sasl_plaintext.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.sasl_plaintext.plain.sasl.jaas.config': PLAIN,
    },
  });
}

/** Settings of a gateway. */
export type Env = Record<string, string>;

/** Settings of a login. */
export function login(mechanism: string, username: string, password = `${username}-secret`): Env {
  return {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  };
}

/** Settings of TLS for brokers with a certificate of this authority. */
export function trusting({ caFile }: Authority): Env {
  return { KAFKA_TLS: '1', KAFKA_TLS_CA_FILE: caFile };
}

/** Settings of a client certificate, signed by this authority. */
export function clientCertificate(by: Authority): Env {
  const { certFile, keyFile } = by.issue('client');
  return { KAFKA_TLS_CERT_FILE: certFile, KAFKA_TLS_KEY_FILE: keyFile };
}

/** Creates a topic and grants dave these operations; Write and Read include Describe. */
export async function allowDave(brokers: readonly string[], topic: string): Promise<void> {
  const { AclResourceTypes, ResourcePatternTypes, AclOperationTypes, AclPermissionTypes } = kafkajs;
  const { TOPIC, GROUP } = AclResourceTypes;
  const { WRITE, READ } = AclOperationTypes;
  const rights = [
    { resourceType: TOPIC, resourceName: topic, operation: WRITE },
    { resourceType: TOPIC, resourceName: topic, operation: READ },
    { resourceType: GROUP, resourceName: 'forebay-listen-', operation: READ },
  ];
  const acl = rights.map((right) => ({
    ...right,
    resourcePatternType: ResourcePatternTypes.PREFIXED,
    principal: 'User:dave',
    host: '*',
    permissionType: AclPermissionTypes.ALLOW,
  }));
  await createTopic({ brokers, topic }, { numPartitions: 1 });
  const admin = testKafka(brokers).admin();
  await admin.connect();
  try {
    await admin.createAcls({ acl });
  } finally {
    await admin.disconnect();
  }
}

/** Revokes dave's operations on groups. */
export async function takeGroupsOfDave(brokers: readonly string[]): Promise<void> {
  const { AclResourceTypes, ResourcePatternTypes, AclOperationTypes, AclPermissionTypes } = kafkajs;
  const admin = testKafka(brokers).admin();
  await admin.connect();
  try {
    const filter = {
      resourceType: AclResourceTypes.GROUP,
      resourcePatternType: ResourcePatternTypes.ANY,
      principal: 'User:dave',
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    };
    const { filterResponses } = await admin.deleteAcls({ filters: [filter] });
    assert.equal(filterResponses[0]?.matchingAcls.length, 1, 'there was one');
  } finally {
    await admin.disconnect();
  }
}
