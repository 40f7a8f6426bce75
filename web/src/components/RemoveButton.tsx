import { ActionIcon } from "@mantine/core";
import { Trash2 } from "lucide-react";

interface Props {
  /** What is removed, as a screen reader says it. */
  label: string;
  onClick: () => void;
  loading?: boolean;
  disabled?: boolean;
}

/** The button of a row that takes the row away. */
export function RemoveButton({ label, onClick, loading, disabled }: Props) {
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={label}
      loading={loading}
      disabled={disabled}
      onClick={onClick}
    >
      <Trash2 size={15} aria-hidden />
    </ActionIcon>
  );
}
