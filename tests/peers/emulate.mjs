// Starts the Twilio of npm's emulate: node emulate.mjs PATH_OF_THE_PACKAGE SEED_AS_JSON
// Prints its URL on the first line and ends when its standard input does.
import { pathToFileURL } from "node:url";

const [path, seed] = process.argv.slice(2);
const { createEmulator } = await import(pathToFileURL(path).href);
const emulator = await createEmulator({ service: "twilio", port: Number(process.env.PORT), seed: { twilio: JSON.parse(seed) } });
console.log(emulator.url);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
