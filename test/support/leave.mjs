/**
 * Imported before each test file: its process ends without Node.js's clean-up. That one may go on
 * for ever, with a full core, in a process that was through (nodejs/node#47748; seen with 20.20).
 */
process.once('beforeExit', () => {
  // Last of all: what others do at the exit comes first.
  process.on('exit', () => process.exit());
});
