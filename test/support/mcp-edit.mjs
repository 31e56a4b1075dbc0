/** Edits a picture by `retouch mcp` as a client of the protocol does. Arguments: the command's file and a picture. */
import { copyFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [program, picture] = process.argv.slice(2);

// Pictures lie in the folder that it works in.
copyFileSync(picture, "picture.png");

const client = new Client({ name: "a test", version: "1.0.0" });
await client.connect(
  new StdioClientTransport({ command: process.execPath, args: [program, "mcp"], env: { ...process.env } }),
);
const { isError = false } = await client.callTool({
  name: "edit_image",
  arguments: { image: "picture.png", instruction: "Make it night", steps: 2 },
});
await client.close();
console.log(isError ? "refused" : "edited");
