// What is thrown where something that came from outside is not what it has to be.

/** What was got, what was expected, what to do: a sentence for people. */
export class InvalidFileError extends Error {
  name = "InvalidFileError";
}
