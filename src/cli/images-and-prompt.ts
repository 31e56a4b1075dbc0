/**
 * The arguments of `retouch edit`: any number of images, then the prompt. With a file as `-o`, or without `-o`, all images
 * belong to one edit; with a folder as `-o` each is edited by itself, and so is each picture in the folders among them.
 */
import { type Stats, statSync } from "node:fs";
import { invalid, RetouchError, shownValue } from "../errors.ts";

export interface ImagesAndPrompt {
  images: string[];
  prompt: string;
}

const ADDRESS = /^(?:https?:|data:)\S*$/i;
const FOLDER_NAME = /[/\\]$/;
/** One word with the ending of an image's name, whether it is there or not. */
const FILE_NAME = /^\S+\.(?:png|jpe?g|webp|avif|gif|tiff?)$/i;

/**
 * The last argument is the prompt, unless it is an image itself.
 * @throws RetouchError INVALID_PARAMETER if the prompt is missing, or was not put in quotes
 */
export function imagesAndPrompt(given: readonly string[]): ImagesAndPrompt {
  const images = given.slice(0, -1);
  const prompt = given.at(-1)!;
  // A folder only if it is written like one: a prompt may be a word that happens to be the name of a folder.
  if (isImage(prompt) || (FOLDER_NAME.test(prompt) && isFolder(prompt))) {
    throw invalid("about", {
      field: "prompt",
      sentence: `it is missing: ${shownValue(prompt)} is ${isFolder(prompt) ? "a folder" : "an image"}.`,
    });
  }
  const word = images.find((image) => !isImage(image) && !isFolder(image));
  if (word !== undefined && images.length > 1) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `${shownValue(word)} is not an existing image; put the prompt in quotes.`,
    );
  }
  return { images, prompt };
}

const isImage = (text: string): boolean =>
  text === "-" || ADDRESS.test(text) || FILE_NAME.test(text) || isFile(text);

const isFile = (text: string): boolean => found(text)?.isFile() ?? false;
const isFolder = (text: string): boolean => found(text)?.isDirectory() ?? false;

function found(text: string): Stats | undefined {
  try {
    return statSync(text);
  } catch {
    // Such as one that is too long for a name.
    return undefined;
  }
}

/**
 * The folder for the results of images that are edited one by one.
 * @param output what `-o` says
 * @returns undefined if all images belong to one edit
 * @throws RetouchError INVALID_PARAMETER for folders of images without a folder for the results
 */
export function resultFolder(images: readonly string[], output: string | undefined): string | undefined {
  const folder = images.find(isFolder);
  if (folder === undefined) {
    const isMeant = output !== undefined && (FOLDER_NAME.test(output) || isFolder(output));
    return isMeant && images.length > 0 ? output : undefined;
  }
  if (output === undefined) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `${shownValue(folder)} is a folder; name one for the results, such as -o edited/.`,
    );
  }
  if (output === "-" || isFile(output) || (FILE_NAME.test(output) && !isFolder(output))) {
    throw invalid("oneOf", {
      field: "output",
      choices: "a folder, since there is one among the images",
      given: shownValue(output),
    });
  }
  return output;
}
