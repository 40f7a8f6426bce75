import { Button, Group, Modal, Text } from "@mantine/core";
import type { TradingSessionRow } from "../../client";

interface Props {
  session: TradingSessionRow;
  isOpen: boolean;
  isBusy: boolean;
  onClose: () => void;
  onStop: () => void;
}

/** Ask whether a session shall end. */
export function StopDialog({ session, isOpen, isBusy, onClose, onStop }: Props) {
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Stop this session?"
      size="sm"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Text size="sm">
        {session.name} cancels its open orders and ends. What it holds stays held:{" "}
        {session.positions === 0 ? "nothing at present" : `${session.positions} open now`}. To close positions
        too, use the kill switch.
      </Text>
      <Group mt="md" justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Let it trade
        </Button>
        <Button color="red.9" loading={isBusy} onClick={onStop}>
          Stop the session
        </Button>
      </Group>
    </Modal>
  );
}
