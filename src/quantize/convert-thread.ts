/** A thread that rounds numbers: it receives parts and returns their errors, in the same order. */
import { parentPort } from "node:worker_threads";
import { convertPart, type Part } from "./convert.ts";

const port = parentPort!;
port.on("message", (part: Part) => port.postMessage(convertPart(part)));
