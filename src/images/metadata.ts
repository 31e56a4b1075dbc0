/**
 * What an edited file says about itself: an XMP packet with IPTC's digital source type, so that viewers and platforms
 * can label it as edited by a model, and the parameters that reproduce the edit. The prompt is included only on
 * request: it may say more about its author than the image should reveal.
 */

/** The facts of one edit that are written into its file. */
export interface EditMetadata {
  /** Name of the checkpoint. */
  model: string;
  /** Version of this package. */
  version: string;
  seed: number;
  /** Only if it was the reference's. */
  sizeRule?: string | undefined;
  /** Only if it was chosen. */
  imageLayout?: string | undefined;
  numSteps: number;
  /** Only if it was not Euler's method. */
  sampler?: string | undefined;
  /** Only if they were given. */
  sigmas?: string | undefined;
  guidance: number;
  /** Only if steps could be reused: what was promised. */
  minPsnr?: number | undefined;
  /** Only if a negative prompt was in effect. */
  trueCfgScale?: number | undefined;
  /** Only if it was given. */
  maxSequenceLength?: number | undefined;
  /** Only if the source's own pixels were kept where nothing was edited. */
  keepUnchanged?: true | undefined;
  /** And how: `exact` or `auto`. */
  preserve?: string | undefined;
  /** These four only with a mask, and if they are not their defaults. */
  strength?: number | undefined;
  paddingMaskCrop?: number | undefined;
  maskBlur?: number | undefined;
  maskFeather?: number | undefined;
  /** Only if there were any: their names and scales. */
  loras?: string | undefined;
  /** Only if requested. */
  prompt?: string | undefined;
  /** Only if requested, and if T5 read something else. */
  prompt2?: string | undefined;
  /** Only if requested, and if it was in effect. */
  negativePrompt?: string | undefined;
}

// https://cv.iptc.org/newscodes/digitalsourcetype/: a composite that includes synthetic elements.
const DIGITAL_SOURCE_TYPE =
  "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
const PROPERTIES = [
  "model",
  "version",
  "seed",
  "sizeRule",
  "imageLayout",
  "numSteps",
  "sampler",
  "sigmas",
  "guidance",
  "minPsnr",
  "trueCfgScale",
  "maxSequenceLength",
  "keepUnchanged",
  "preserve",
  "strength",
  "paddingMaskCrop",
  "maskBlur",
  "maskFeather",
  "loras",
  "prompt",
  "prompt2",
  "negativePrompt",
] as const;

/**
 * Writes the XMP packet of an edit; its properties are named `retouch:model`, `retouch:seed` and so on.
 * @param receipt a JSON text on one line, for `retouch:receipt`, the last one
 */
export function editMetadata(metadata: EditMetadata, receipt?: string): string {
  const properties = PROPERTIES.filter((name) => metadata[name] !== undefined).map(
    (name) => `\n    retouch:${name}="${escapeXml(String(metadata[name]))}"`,
  );
  return `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:retouch="urn:retouch:edit:1/"
    xmp:CreatorTool="Retouch ${escapeXml(metadata.version)}"
    Iptc4xmpExt:DigitalSourceType="${DIGITAL_SOURCE_TYPE}"${properties.join("")}${receipt === undefined ? "" : receiptProperty(receipt)}/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>`;
}

const RECEIPT_START = "\n    retouch:receipt='";
const RECEIPT_END = "'";

/** In single quotes, so that JSON's own need no escape. */
const receiptProperty = (receipt: string): string =>
  RECEIPT_START +
  receipt.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("'", "&apos;") +
  RECEIPT_END;

/** What an XMP packet that {@link editMetadata} wrote says: its receipt, and the packet without it. */
export function readEditMetadata(packet: string): { receipt: string; others: string } | undefined {
  const start = packet.indexOf(RECEIPT_START);
  if (start < 0) return undefined;
  const from = start + RECEIPT_START.length;
  const end = packet.indexOf(RECEIPT_END, from);
  if (end < 0) return undefined;
  const others = packet.slice(0, start) + packet.slice(end + RECEIPT_END.length);
  return { receipt: unescapeXml(packet.slice(from, end)), others };
}

/** A property of such a packet, if it has it. */
export function editProperty(packet: string, name: (typeof PROPERTIES)[number]): string | undefined {
  const start = `retouch:${name}="`;
  const at = packet.indexOf(start);
  if (at < 0) return undefined;
  const from = at + start.length;
  const end = packet.indexOf('"', from);
  return end < 0 ? undefined : unescapeXml(packet.slice(from, end));
}

const CHARACTERS: Record<string, string> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
  "&#9;": "\t",
  "&#10;": "\n",
  "&#13;": "\r",
};

const unescapeXml = (text: string): string =>
  text.replaceAll(/&(?:lt|gt|quot|apos|amp|#9|#10|#13);/g, (entity) => CHARACTERS[entity]!);

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

function escapeXml(text: string): string {
  return (
    text
      // XML 1.0 cannot represent these, not even escaped.
      // oxlint-disable-next-line no-control-regex
      .replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/gu, " ")
      // The three that it has would become blanks inside of an attribute.
      .replaceAll(/[&<>"\t\n\r]/g, (character) => ENTITIES[character]!)
  );
}
