/** Schemas as teams publish them, each with good events. */

export interface Sample {
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

const PAGE_VIEW: Sample = {
  name: 'page view, draft-07',
  schema: {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'https://shop.example/schemas/page-view.json',
    title: 'Page view',
    type: 'object',
    properties: {
      event: { const: 'page_view' },
      eventId: { type: 'string', format: 'uuid' },
      occurredAt: { type: 'string', format: 'date-time' },
      page: {
        type: 'object',
        properties: {
          url: { type: 'string', format: 'uri', maxLength: 2048 },
          referrer: { type: ['string', 'null'], format: 'uri' },
          title: { type: 'string', minLength: 1, maxLength: 300 },
          loadMs: { type: 'number', minimum: 0 },
        },
        required: ['url'],
        additionalProperties: false,
      },
      user: {
        type: 'object',
        properties: {
          id: { type: 'string', pattern: '^u_[0-9a-z]{6,12}$' },
          locale: { type: 'string', pattern: '^[a-z]{2}(-[A-Z]{2})?$' },
          consent: { type: 'array', items: { enum: ['ads', 'analytics', 'functional'] } },
        },
        required: ['id'],
      },
      viewport: {
        type: 'array',
        items: [
          { type: 'integer', minimum: 1 },
          { type: 'integer', minimum: 1 },
        ],
        additionalItems: false,
        minItems: 2,
      },
      experiments: { type: 'object', additionalProperties: { type: 'string' } },
    },
    required: ['event', 'eventId', 'occurredAt', 'page'],
  },
  events: [
    {
      event: 'page_view',
      eventId: '123e4567-e89b-12d3-a456-426614174000',
      occurredAt: '2026-11-30T17:29:30.123Z',
      page: {
        url: 'https://shop.example/p/1?a=b&c=%20#top',
        referrer: null,
        title: 'Schöne Schuhe – “neu” 👟',
        loadMs: 1203.5,
      },
      user: { id: 'u_8fk3s9', locale: 'de-AT', consent: ['ads', 'functional'] },
      viewport: [1280, 720],
      experiments: { checkout: 'b', hero: 'control' },
    },
    {
      event: 'page_view',
      eventId: 'ABCDEF01-e89b-42d3-8456-426614174000',
      occurredAt: '2024-02-29T23:59:59+02:00',
      page: { url: 'https://shop.example/', referrer: 'https://search.example/?q=shoes' },
      extra: { anything: [1, { goes: true }] },
    },
    {
      event: 'page_view',
      eventId: '00000000-0000-0000-0000-000000000000',
      occurredAt: '2026-01-01T00:00:00Z',
      page: { url: 'http://localhost:8080/a/b;c?d', title: 'x', loadMs: 0 },
      user: { id: 'u_abcdef', consent: [] },
    },
  ],
};

const ORDER: Sample = {
  name: 'order, 2020-12 with $defs',
  schema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    required: ['orderId', 'placedAt', 'customer', 'lines', 'total'],
    properties: {
      orderId: { type: 'string', pattern: '^ORD-\\d{8}$' },
      placedAt: { type: 'string', format: 'date-time' },
      status: { enum: ['placed', 'paid', 'shipped', 'cancelled'] },
      customer: {
        type: 'object',
        properties: {
          email: { type: 'string', format: 'email' },
          name: { type: 'string' },
          address: { anyOf: [{ $ref: '#/$defs/address' }, { type: 'null' }] },
        },
        required: ['email'],
      },
      lines: { type: 'array', minItems: 1, maxItems: 500, items: { $ref: '#/$defs/line' } },
      total: { $ref: '#/$defs/money' },
      discount: { oneOf: [{ $ref: '#/$defs/money' }, { type: 'null' }] },
      note: { type: 'string', maxLength: 1000 },
      expressUntil: { type: 'string', format: 'date' },
    },
    unevaluatedProperties: false,
    $defs: {
      address: {
        type: 'object',
        required: ['street', 'city', 'country'],
        properties: {
          street: { type: 'string' },
          city: { type: 'string', minLength: 1 },
          zip: { type: 'string', pattern: '^[0-9A-Z -]{3,10}$' },
          country: { type: 'string', minLength: 2, maxLength: 2 },
        },
      },
      line: {
        type: 'object',
        required: ['sku', 'quantity', 'price'],
        additionalProperties: false,
        properties: {
          sku: { type: 'string', minLength: 3, maxLength: 32 },
          quantity: { type: 'integer', exclusiveMinimum: 0, maximum: 9999 },
          price: { $ref: '#/$defs/money' },
          gift: { type: 'boolean', default: false },
        },
      },
      money: {
        type: 'object',
        required: ['amount', 'currency'],
        properties: {
          amount: { type: 'number', multipleOf: 0.01, minimum: 0 },
          currency: { type: 'string', enum: ['EUR', 'USD', 'GBP', 'CHF'] },
        },
      },
    },
  },
  events: [
    {
      orderId: 'ORD-00012345',
      placedAt: '2026-11-30T17:29:30.123456Z',
      status: 'placed',
      customer: {
        email: 'a.b+c@example.co.uk',
        name: 'Żaneta “Z” Nowak',
        address: { street: 'Hauptstraße 1', city: 'Wien', zip: '1010', country: 'AT' },
      },
      lines: [
        { sku: 'SHOE-42', quantity: 1, price: { amount: 59.5, currency: 'EUR' } },
        { sku: 'SOCK', quantity: 3, price: { amount: 4.5, currency: 'EUR' }, gift: true },
      ],
      total: { amount: 73, currency: 'EUR' },
      discount: null,
      expressUntil: '2026-12-02',
    },
    {
      orderId: 'ORD-99999999',
      placedAt: '2026-11-30T17:29:30+01:00',
      customer: { email: 'x@y.example', address: null },
      lines: [{ sku: 'ABC', quantity: 9999, price: { amount: 0, currency: 'CHF' } }],
      total: { amount: 100, currency: 'CHF' },
      discount: { amount: 5.25, currency: 'CHF' },
      note: 'line 1\nline 2\t"quoted" \\ slash /',
    },
  ],
};

const LOG: Sample = {
  name: 'log record, draft-06',
  schema: {
    $schema: 'http://json-schema.org/draft-06/schema#',
    type: 'object',
    required: ['time', 'level', 'msg', 'host'],
    properties: {
      time: { type: ['integer', 'string'], minimum: 0 },
      level: {
        anyOf: [
          { enum: ['debug', 'info', 'warn', 'error'] },
          { type: 'integer', minimum: 0, maximum: 100 },
        ],
      },
      msg: { type: 'string' },
      host: {
        anyOf: [
          { type: 'string', format: 'hostname' },
          { type: 'string', format: 'ipv4' },
          { type: 'string', format: 'ipv6' },
        ],
      },
      pid: { type: 'integer', minimum: 1 },
      err: { $ref: '#/definitions/error' },
      labels: { type: 'object', patternProperties: { '': { type: 'string', maxLength: 256 } } },
      trace: { type: 'string', pattern: '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' },
    },
    definitions: {
      error: {
        type: 'object',
        required: ['message'],
        properties: {
          type: { type: 'string' },
          message: { type: 'string' },
          stack: { type: 'string' },
          cause: { $ref: '#/definitions/error' },
        },
      },
    },
  },
  events: [
    {
      time: 1796059770123,
      level: 'info',
      msg: 'request completed',
      host: 'web-1.prod.example',
      pid: 4711,
      labels: { region: 'eu-west-1', 'k8s.io/pod': 'web-1' },
      trace: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    },
    {
      time: '2026-11-30T17:29:30Z',
      level: 50,
      msg: 'boom \u2028 💥',
      host: '10.0.0.7',
      err: {
        type: 'TypeError',
        message: 'x is not a function',
        stack: 'TypeError: x\n    at f (a.js:1:1)',
        cause: { message: 'inner', cause: { message: 'innermost' } },
      },
    },
    { time: 0, level: 30, msg: '', host: '2001:db8::1', req: { method: 'GET', headers: {} } },
  ],
};

const TELEMETRY: Sample = {
  name: 'IoT telemetry, draft-04',
  schema: {
    $schema: 'http://json-schema.org/draft-04/schema#',
    id: 'http://iot.example/telemetry.json',
    type: 'object',
    required: ['deviceId', 'ts', 'readings'],
    additionalProperties: false,
    properties: {
      deviceId: { type: 'string', pattern: '^[A-F0-9]{2}(:[A-F0-9]{2}){5}$' },
      ts: { type: 'integer', minimum: 1500000000000 },
      firmware: { type: 'string', pattern: '^\\d+\\.\\d+\\.\\d+$' },
      battery: { type: 'number', minimum: 0, maximum: 100 },
      position: {
        type: 'object',
        required: ['lat', 'lon'],
        properties: {
          lat: { type: 'number', minimum: -90, maximum: 90 },
          lon: { type: 'number', minimum: -180, exclusiveMinimum: true, maximum: 180 },
          alt: { type: 'number' },
        },
      },
      readings: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          required: ['sensor', 'value'],
          properties: {
            sensor: { enum: ['temperature', 'humidity', 'pressure', 'door'] },
            value: { type: ['number', 'boolean', 'null'] },
            unit: { type: 'string', maxLength: 8 },
            quality: { type: 'integer', minimum: 0, maximum: 3 },
          },
        },
      },
    },
  },
  events: [
    {
      deviceId: '00:1A:2B:3C:4D:5E',
      ts: 1796059770123,
      firmware: '1.20.3',
      battery: 87.5,
      position: { lat: 48.2082, lon: 16.3738, alt: -3.25 },
      readings: [
        { sensor: 'temperature', value: -21.75, unit: '°C', quality: 3 },
        { sensor: 'door', value: true },
        { sensor: 'pressure', value: null },
      ],
    },
    {
      deviceId: 'FF:FF:FF:FF:FF:FF',
      ts: 1600000000000,
      readings: [{ sensor: 'humidity', value: 1e-3 }],
    },
  ],
};

const CLOUD_EVENT: Sample = {
  name: 'CloudEvents 1.0',
  schema: {
    $ref: '#/definitions/event',
    definitions: {
      event: {
        properties: {
          id: { $ref: '#/definitions/iddef' },
          source: { $ref: '#/definitions/sourcedef' },
          specversion: { $ref: '#/definitions/specversiondef' },
          type: { $ref: '#/definitions/typedef' },
          datacontenttype: { $ref: '#/definitions/datacontenttypedef' },
          dataschema: { $ref: '#/definitions/dataschemadef' },
          subject: { $ref: '#/definitions/subjectdef' },
          time: { $ref: '#/definitions/timedef' },
          data: { $ref: '#/definitions/datadef' },
          data_base64: { $ref: '#/definitions/data_base64def' },
        },
        required: ['id', 'source', 'specversion', 'type'],
        type: 'object',
      },
      iddef: { type: 'string', minLength: 1 },
      sourcedef: { type: 'string', format: 'uri-reference', minLength: 1 },
      specversiondef: { type: 'string', minLength: 1 },
      typedef: { type: 'string', minLength: 1 },
      datacontenttypedef: { type: ['string', 'null'], minLength: 1 },
      dataschemadef: { type: ['string', 'null'], format: 'uri', minLength: 1 },
      subjectdef: { type: ['string', 'null'], minLength: 1 },
      timedef: { type: ['string', 'null'], format: 'date-time', minLength: 1 },
      datadef: { type: ['object', 'string', 'number', 'array', 'boolean', 'null'] },
      data_base64def: { type: ['string', 'null'], contentEncoding: 'base64' },
    },
    $schema: 'http://json-schema.org/draft-07/schema#',
  },
  events: [
    {
      specversion: '1.0',
      type: 'com.example.object.created',
      source: 'https://example.com/storage/tenant/container',
      subject: 'mynewfile.jpg',
      id: 'A234-1234-1234',
      time: '2026-11-30T17:29:30.5Z',
      datacontenttype: 'application/json',
      data: { appinfoA: 'abc', appinfoB: 123, appinfoC: true, list: [1.5, null] },
      comexampleextension1: 'value',
    },
    {
      specversion: '1.0',
      type: 't',
      source: '/sensors/tn-1234567/alerts',
      id: '1',
      data: '<xml/>',
    },
    {
      specversion: '1.0',
      type: 't',
      source: 'urn:event:from:myapi/1',
      id: '2',
      time: null,
      data: 12,
    },
    {
      specversion: '1.0',
      type: 't',
      source: '#x',
      id: '3',
      data_base64: 'aGk=',
      dataschema: 'https://e.example/s',
    },
  ],
};

const PAYMENT: Sample = {
  name: 'payment, 2019-09 with allOf and dependentRequired',
  schema: {
    $schema: 'https://json-schema.org/draft/2019-09/schema',
    $ref: '#/$defs/envelope',
    allOf: [
      {
        properties: {
          amount: { type: 'integer', minimum: 1 },
          method: {
            oneOf: [
              { const: 'card', title: 'Card' },
              { const: 'sepa', title: 'SEPA' },
            ],
          },
          iban: { type: 'string', pattern: '^[A-Z]{2}\\d{2}[A-Z0-9]{10,30}$' },
          tags: { type: 'array', items: { type: 'string' }, uniqueItems: true },
        },
        required: ['amount', 'method'],
      },
    ],
    unevaluatedProperties: false,
    $defs: {
      envelope: {
        type: 'object',
        properties: {
          id: { type: 'string', format: 'uuid' },
          at: { type: 'string', format: 'date-time' },
          version: { type: 'integer', const: 2 },
          meta: {
            type: 'object',
            propertyNames: { pattern: '^[a-z]+$' },
            properties: { ip: { type: 'string', format: 'ipv4' } },
          },
        },
        required: ['id', 'at', 'version'],
      },
    },
  },
  events: [
    {
      id: '123e4567-e89b-12d3-a456-426614174000',
      at: '2026-11-30T17:29:30Z',
      version: 2,
      amount: 1250,
      method: 'card',
      tags: ['new'],
      meta: { ip: '203.0.113.7' },
    },
    {
      id: '123e4567-e89b-12d3-a456-426614174001',
      at: '2026-11-30T17:29:30.000001-08:00',
      version: 2,
      amount: 1,
      method: 'sepa',
      iban: 'AT611904300234573201',
    },
  ],
};

export const SAMPLES: readonly Sample[] = [PAGE_VIEW, ORDER, LOG, TELEMETRY, CLOUD_EVENT, PAYMENT];
