// Which profile counts for a command line, and what options default to because of it. An explicit --profile beats
// MILLRACE_BOOTSTRAP, which beats a profile that was chosen earlier.

import { CliError } from "./cli-failure.js";
import type { CommandDefaults } from "./context.js";
import { exitCodes } from "./exit-codes.js";
import { type Profile, profilePath, readProfileFile } from "./profile-file.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** The value of `--profile` in a command line; commander has not seen it yet. */
export function profileOption(argv: readonly string[]): string | undefined {
  for (const [index, word] of argv.entries()) {
    if (word === "--") {
      return undefined;
    }
    if (word === "--profile") {
      return argv[index + 1];
    }
    if (word.startsWith("--profile=")) {
      return word.slice("--profile=".length);
    }
  }
  return undefined;
}

interface ChosenProfile {
  readonly name: string;
  readonly profile: Profile;
  readonly isExplicit: boolean;
}

function chooseProfile(argv: readonly string[], env: Environment): ChosenProfile | undefined {
  const given = profileOption(argv);
  const fromEnvironment = env["MILLRACE_PROFILE"] || undefined;
  const path = profilePath(env);
  const file = readProfileFile(path);
  const name = given ?? fromEnvironment ?? file.current;
  if (name === undefined) {
    return undefined;
  }
  const profile = Object.hasOwn(file.profiles, name) ? file.profiles[name] : undefined;
  if (profile === undefined) {
    throw new CliError(`There is no profile ${JSON.stringify(name)} in ${path}.`, {
      code: "PROFILE",
      exitCode: exitCodes.USAGE,
      hint: `\`millrace profile set ${name} bootstrap=ws://HOST:PORT\` creates it.`,
    });
  }
  return { name, profile, isExplicit: given !== undefined };
}

/** @throws CliError when the profile does not exist or its file cannot be understood */
export function commandDefaults(argv: readonly string[], env: Environment): CommandDefaults {
  const chosen = chooseProfile(argv, env);
  const fromProfile =
    chosen?.profile.bootstrap === undefined
      ? undefined
      : {
          url: chosen.profile.bootstrap,
          source: `profile ${chosen.name}`,
          isDeliberate: chosen.isExplicit,
        };
  const variable = env["MILLRACE_BOOTSTRAP"] || undefined;
  const fromEnvironment =
    variable === undefined
      ? undefined
      : { url: variable, source: "MILLRACE_BOOTSTRAP", isDeliberate: true };
  const isProfileFirst = chosen?.isExplicit === true && fromProfile !== undefined;
  return {
    bootstrap: isProfileFirst ? fromProfile : (fromEnvironment ?? fromProfile),
    json: chosen?.profile.output === "json",
  };
}
