/** Types of kafkajs's encoders and decoders, with which tests compare. */
declare module 'kafkajs/src/*' {
  const value: unknown;
  export default value;
}
