declare module 'kafkajs/src/*' {
  const value: unknown;
  export default value;
}
