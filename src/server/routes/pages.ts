/** The playground and the reference: built files, sent with a policy that lets them load nothing else. */
import { readdirSync } from "node:fs";
import path from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

export interface PageOptions {
  /** The folder of the build, with `index.html` in it. */
  folder: string;
  /** Where results may lie besides this server, if the operator has another public URL. */
  publicUrl: string | undefined;
}

/** What the build puts beside each file. */
const COMPRESSED = /\.(?:br|gz)$/;
const YEAR_SECONDS = 365 * 24 * 60 * 60;

export async function addPages(app: FastifyInstance, { folder, publicUrl }: PageOptions): Promise<void> {
  const own = publicUrl === undefined ? "'self'" : `'self' ${new URL(publicUrl).origin}`;
  const headers = {
    "content-security-policy": [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      `img-src ${own} data: blob:`,
      `connect-src ${own}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
  };
  await app.register(fastifyStatic, { root: folder, serve: false, cacheControl: false, preCompressed: true });
  const schema = { hide: true };
  for (const [url, file] of [
    ["/", "index.html"],
    ["/docs", "docs.html"],
    ["/library", "library.html"],
    ["/icon.svg", "icon.svg"],
  ] as const) {
    app.get(url, { schema }, (request, reply) => {
      // The page refers to its files by relative URLs, wherever a proxy puts it: an extra slash would break
      // them.
      const [, slashes] = /^[^?]*[^/?](\/+)(?:\?|$)/.exec(request.url) ?? [];
      if (slashes !== undefined) return reply.redirect("../".repeat(slashes.length) + url.slice(1), 308);
      return reply.headers(headers).header("cache-control", "no-cache").sendFile(file);
    });
  }
  const assets = new Set(readdirSync(path.join(folder, "assets")).filter((name) => !COMPRESSED.test(name)));
  app.get<{ Params: { name: string } }>("/assets/:name", { schema }, ({ params: { name } }, reply) => {
    if (!assets.has(name)) return reply.code(404).send({ error: "file not found" });
    // A name holds a hash of the content.
    const cacheControl = `public, max-age=${YEAR_SECONDS}, immutable`;
    return reply.headers(headers).header("cache-control", cacheControl).sendFile(`assets/${name}`);
  });
}
