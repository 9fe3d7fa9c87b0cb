/** Tests compare with kafkajs's own encoders and decoders, which have no types. */
declare module 'kafkajs/src/*' {
  const value: unknown;
  export default value;
}
