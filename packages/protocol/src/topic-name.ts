// Kafka's rules for topic names. They keep names usable as directory names and metric labels.

import { TOPIC_NAME_LENGTH_MAX } from "./limits.js";

const legalCharacters = /^[a-zA-Z0-9._-]*$/;

/** What is wrong with a topic name, as a sentence part ("is empty"); `undefined` when it is legal. */
export function topicNameProblem(name: string): string | undefined {
  if (name.length === 0) {
    return "is empty";
  }
  if (name === "." || name === "..") {
    return 'must not be "." or ".."';
  }
  if (name.length > TOPIC_NAME_LENGTH_MAX) {
    return `has ${name.length} characters; at most ${TOPIC_NAME_LENGTH_MAX} are allowed`;
  }
  if (!legalCharacters.test(name)) {
    return "may only hold a-z, A-Z, 0-9, '.', '_' and '-'";
  }
  return undefined;
}
