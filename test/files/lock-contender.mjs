// A process that takes and gives back the lock of a folder as it is told. Run by folder-lock.test.ts.
import { readFile, writeFile } from "node:fs/promises";
import { lockFolder } from "../../dist/files/folder-lock.js";

let lock;

const commands = {
  /** @returns "won", or the sentence of the refusal */
  async take(folder) {
    try {
      lock = await lockFolder(folder);
      return "won";
    } catch (error) {
      return error.code === "DATA_DIR_IN_USE" ? error.message : `${error.code}: ${error.message}`;
    }
  },
  async release() {
    await lock.release();
    return "released";
  },
  /** Raises a number in a file so many times, each time under the lock: a second owner would lose some of it. */
  async count(folder, file, times) {
    for (let done = 0; done < times;) {
      const answer = await commands.take(folder);
      if (answer === "won") {
        await writeFile(file, String(Number(await readFile(file, "utf8")) + 1));
        await lock.release();
        done += 1;
      } else if (!answer.includes("is in use by process")) {
        return answer;
      }
    }
    return "counted";
  },
  /** Raises the number once, and dies as the owner. */
  async countAndDie(folder, file) {
    let answer;
    while ((answer = await commands.take(folder)) !== "won") {
      if (!answer.includes("is in use by process")) return answer;
    }
    await writeFile(file, String(Number(await readFile(file, "utf8")) + 1));
    process.kill(process.pid, "SIGKILL");
  },
};

process.on("message", async ([command, ...args]) => {
  process.send(await commands[command](...args));
});
process.send("ready");
