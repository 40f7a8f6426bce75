import { PasswordInput } from "@mantine/core";

/** The least length that the API takes; it refuses common passwords, too. */
const LEAST = 8;

export interface Chosen {
  password: string;
  again: string;
}

/** Say what is wrong with a new password as far as a page can know, or null. */
export function newPasswordFault({ password, again }: Chosen): string | null {
  if ([...password].length < LEAST) return `At least ${LEAST} characters, please; 15 are better.`;
  if (password !== again) return "The two passwords differ.";
  return null;
}

interface Props {
  value: Chosen;
  onChange: (value: Chosen) => void;
  fault: string | null;
}

/** Two fields for a new password. */
export function NewPassword({ value, onChange, fault }: Props) {
  return (
    <>
      <PasswordInput
        label="New password"
        description="At least 8 characters; any are allowed. A few words are easy to keep in mind."
        autoComplete="new-password"
        required
        withAsterisk={false}
        value={value.password}
        onChange={(event) => onChange({ ...value, password: event.currentTarget.value })}
      />
      <PasswordInput
        label="The same again"
        autoComplete="new-password"
        required
        withAsterisk={false}
        error={fault}
        value={value.again}
        onChange={(event) => onChange({ ...value, again: event.currentTarget.value })}
      />
    </>
  );
}
