/** What `retouch verify` says of a receipt that holds. */
import type { PublicJwk, Receipt } from "../../index.ts";
import { oneLine } from "../report.ts";
import type { Again } from "./make-again.ts";

export interface Verdict {
  receipt: Receipt;
  /** Absent if nobody signed it. */
  signer: PublicJwk | undefined;
  /** Absent if the edit was not made again. */
  again: Again | undefined;
}

export function verdictText({ receipt, signer, again }: Verdict): string {
  const { checkpoint, seed, program, result } = receipt;
  const rows = [
    ["receipt", signer ? `signed with ${signer.kid}` : "not signed"],
    ["picture", `the one of the receipt: ${result.format}, ${result.width} x ${result.height}`],
    ["made by", `${program}, ${checkpoint.name}, seed ${seed}`],
    ["again", again ? againText(again) : "not made"],
  ];
  return rows.map(([label, value]) => `${label!.padEnd(7)}  ${oneLine(value!)}\n`).join("");
}

function againText({ psnr, differences }: Again): string {
  const verb = differences.length === 1 ? "is another" : "are others";
  const here = differences.length === 0 ? "" : `; here, ${listed(differences)} ${verb}`;
  return (psnr === Infinity ? "equal" : `${psnr.toFixed(1)} dB from it`) + here;
}

const listed = (names: readonly string[]): string =>
  names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

/** One line; `psnr` is null where the pictures are equal. */
export function verdictJson({ receipt, signer, again }: Verdict): string {
  const line = {
    key: signer?.kid ?? null,
    isSigned: signer !== undefined,
    again: again && {
      isEqual: again.psnr === Infinity,
      psnr: again.psnr === Infinity ? null : Number(again.psnr.toFixed(2)),
      differences: again.differences,
    },
    receipt,
  };
  return `${JSON.stringify(line)}\n`;
}
