/**
 * The process of `s3-server.ts`, whose package brings a class and no program. JavaScript, because Node 20 runs no
 * TypeScript in a process of its own. Prints its port.
 */
const { rm } = require("node:fs/promises");
const path = require("node:path");

const [, , server, options] = process.argv;
const authentication = require.resolve(path.join(path.dirname(server), "middleware/authentication.js"));
const createAuthentication = require(authentication);

/**
 * The server verifies the signature of its own spelling of the path, without the slash that the AWS SDK puts after a
 * bucket; S3 verifies that of the path as it was sent. The slash is put back for the time of the verification.
 */
require.cache[authentication].exports = () => {
  const verify = createAuthentication();
  return (context, next) => {
    const { params } = context;
    if (!params.bucket || params.key || !context.path.endsWith("/")) return verify(context, next);
    context.params = { ...params, bucket: `${params.bucket}/` };
    return verify(context, () => {
      context.params = params;
      return next();
    });
  };
};

/** The server deletes the folder of a last object, and with it whatever is just being put there: S3 has no folders. */
const Store = require(path.join(path.dirname(server), "stores/filesystem.js"));
Store.prototype.deleteObject = async function deleteObject(bucket, key) {
  const parts = ["metadata.json", "object.md5", "object"];
  for (const part of parts) await rm(this.getResourcePath(bucket, key, part), { force: true });
};

const S3Server = require(server);
new S3Server(JSON.parse(options)).run().then(({ port }) => console.log("port", port));
// Ends with the process that started it, however that ended.
process.stdin.on("end", () => process.exit()).resume();
