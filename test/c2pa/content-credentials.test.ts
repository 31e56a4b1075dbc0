/** Content credentials, read by C2PA's own library. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { initSync, WasmReader } from "@contentauth/c2pa-wasm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createContentSigner } from "../../src/c2pa/content-credentials.ts";
import { encodePicture } from "../../src/images/encode.ts";
import { OUTPUT_FORMATS, type OutputFormat } from "../../src/images/output-format.ts";
import { checkFile, openReceiptFile, receiptIn } from "../../src/receipts/file-receipt.ts";
import { PICTURE, writeFor } from "../receipts/support.ts";
import { createAuthority, type MadeCertificate } from "../support/certificates.ts";

initSync({
  module: readFileSync(createRequire(import.meta.url).resolve("@contentauth/c2pa-wasm/c2pa.wasm")),
});
const make = createAuthority();
const COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";

/** What the standard reader says of a file whose root is trusted. */
async function read(file: Uint8Array, format: OutputFormat, { root }: MadeCertificate) {
  const settings = { trust: { trust_anchors: root }, verify: { verify_trust: true } };
  const reader = await WasmReader.fromBytes(`image/${format}`, file, JSON.stringify(settings));
  const store = JSON.parse(reader.json());
  return { store, active: store.manifests[store.active_manifest] };
}

const actionsOf = (manifest: any): any[] =>
  manifest.assertions.find(({ label }: any) => label === "c2pa.actions.v2").data.actions;

const bareSource = (): Promise<Uint8Array> => encodePicture(PICTURE, "png");

describe("content credentials", () => {
  it.each(OUTPUT_FORMATS)("of %s are valid and trusted, and say what was done", async (format) => {
    const made = make();
    const signer = await createContentSigner(made);
    const { image } = await writeFor(format);
    const notices: string[] = [];
    const file = await signer.sign(image, { format, sources: [await bareSource()], notices });
    const { store, active } = await read(file, format, made);
    expect(store.validation_state).toBe("Trusted");
    expect(store.validation_results.activeManifest.failure).toEqual([]);
    expect(actionsOf(active).map(({ action, digitalSourceType }) => [action, digitalSourceType])).toEqual([
      ["c2pa.opened", undefined],
      ["c2pa.edited", COMPOSITE],
    ]);
    expect(active.ingredients.map(({ relationship }: any) => relationship)).toEqual(["parentOf"]);
    expect(active.signature_info).toMatchObject({ common_name: "Operator", issuer: "Tests" });
    expect(notices).toEqual([]);
    // The receipt is in there as well, and about the same pixels.
    const opened = await openReceiptFile(file);
    expect(() => checkFile(opened, receiptIn(opened))).not.toThrow();
  });

  it.each(["es384", "ed25519", "rsa"] as const)("may be signed with %s", async (keyType) => {
    const made = make({ keyType });
    const signer = await createContentSigner(made);
    const source = await bareSource();
    const file = await signer.sign(source, { format: "png", sources: [source], notices: [] });
    expect((await read(file, "png", made)).store.validation_state).toBe("Trusted");
  });

  it("keep those of the edited image, and name the other images", async () => {
    const made = make();
    const signer = await createContentSigner(made);
    const { image } = await writeFor("jpeg");
    const before = await signer.sign(image, { format: "jpeg", sources: [await bareSource()], notices: [] });
    const { store: own } = await read(before, "jpeg", made);
    const result = await encodePicture(PICTURE, "webp");
    const sources = [before, await bareSource()];
    const file = await signer.sign(result, { format: "webp", sources, notices: [] });
    const { store, active } = await read(file, "webp", made);
    expect(store.validation_state).toBe("Trusted");
    expect(
      active.ingredients.map(({ relationship, active_manifest }: any) => [relationship, active_manifest]),
    ).toEqual([
      ["parentOf", own.active_manifest],
      ["inputTo", undefined],
    ]);
    // All that the image's own say.
    expect(store.manifests[own.active_manifest].signature_info).toEqual(
      own.manifests[own.active_manifest].signature_info,
    );
    expect(actionsOf(active)[1].parameters.ingredients).toHaveLength(1);
  });

  it("say that all was drawn where there was no image", async () => {
    const made = make();
    const signer = await createContentSigner(made);
    const file = await signer.sign(await bareSource(), { format: "png", sources: [], notices: [] });
    const { store, active } = await read(file, "png", made);
    expect(store.validation_state).toBe("Trusted");
    expect(actionsOf(active)).toMatchObject([
      {
        action: "c2pa.created",
        digitalSourceType: "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
      },
    ]);
  });

  it("show a change of the file", async () => {
    const made = make();
    const signer = await createContentSigner(made);
    const source = await bareSource();
    const file = await signer.sign(source, { format: "png", sources: [source], notices: [] });
    file[file.length - 20]! ^= 1;
    const { store } = await read(file, "png", made);
    expect(store.validation_state).toBe("Invalid");
    expect(store.validation_status.map(({ code }: any) => code)).toContain("assertion.dataHash.mismatch");
  });

  it("ask nothing of the network that an image names", async () => {
    let calls = 0;
    const server = createServer((_, response) => {
      calls += 1;
      response.end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const packet = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="http://127.0.0.1:${port}/manifest.c2pa"/></rdf:RDF></x:xmpmeta>`;
    const source = await encodePicture(PICTURE, "jpeg", packet);
    const made = make();
    const signer = await createContentSigner(made);
    const notices: string[] = [];
    const fetching = vi.spyOn(globalThis, "fetch");
    try {
      const file = await signer.sign(await bareSource(), { format: "png", sources: [source], notices });
      expect((await read(file, "png", made)).store.validation_state).toBe("Trusted");
      expect([calls, fetching.mock.calls.length]).toEqual([0, 0]);
    } finally {
      fetching.mockRestore();
      server.close();
    }
  });

  it("are given without those of an image that are damaged, with a notice", async () => {
    const made = make();
    const signer = await createContentSigner(made);
    const source = await bareSource();
    const before = await signer.sign(source, { format: "png", sources: [source], notices: [] });
    // Inside of the credentials' own box.
    const damaged = Uint8Array.from(before);
    damaged.fill(0xff, Buffer.from(damaged).indexOf("jumd") + 4, Buffer.from(damaged).indexOf("jumd") + 60);
    const notices: string[] = [];
    const file = await signer.sign(source, { format: "png", sources: [damaged], notices });
    const { store, active } = await read(file, "png", made);
    expect(store.validation_state).toBe("Trusted");
    expect(active.ingredients).toHaveLength(1);
    expect(notices).toEqual([
      "The content credentials of an image could not be read; those of the result name it without them.",
    ]);
  });

  describe("of a certificate that expires while results are made", () => {
    afterEach(() => void vi.useRealTimers());

    it("are left out, with a notice", async () => {
      const signer = await createContentSigner(make());
      const source = await bareSource();
      const notices: string[] = [];
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 86_400_000 });
      const about = { format: "png" as const, sources: [source], notices };
      expect(await signer.sign(source, about)).toBe(source);
      await signer.sign(source, about);
      expect(notices).toEqual([
        expect.stringMatching(
          /^The result has no content credentials: the certificate expired on \d{4}-\d\d-\d\d\.$/,
        ),
      ]);
    });
  });
});
