import { Alert, Button, Group, Modal, Stack, Switch, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { killTradingSession, type TradingSessionRow } from "../../client";
import { getTradingSessionQueryKey } from "../../client/@tanstack/react-query.gen";
import { asProblem } from "../../problem";

interface Props {
  session: TradingSessionRow;
  isOpen: boolean;
  onClose: () => void;
}

/** The kill switch, which is pulled by typing the session's name. */
export function KillSwitch({ session, isOpen, onClose }: Props) {
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Kill switch"
      size="md"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {isOpen && <Form session={session} onClose={onClose} />}
    </Modal>
  );
}

function Form({ session, onClose }: Omit<Props, "isOpen">) {
  const client = useQueryClient();
  const [typed, setTyped] = useState("");
  const [isFlat, setFlat] = useState(true);
  const path = { session_id: session.session_id };
  const kill = useMutation({
    mutationFn: () => killTradingSession({ path, body: { confirm: typed, flatten: isFlat } }),
    onSuccess: async ({ data }) => {
      if (data.answer !== null) {
        notifications.show({
          color: "red",
          title: "The process that trades does not answer",
          message: data.answer,
          autoClose: false,
        });
      }
      await client.invalidateQueries({ queryKey: getTradingSessionQueryKey({ path }) });
      onClose();
    },
  });
  const isRight = typed === session.name;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isRight) kill.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm">
          All open orders of this session are cancelled, and Mela makes sure that they are. It then enters
          nothing until somebody releases it.
        </Text>
        <Switch
          label="Close what it holds"
          description={
            session.positions === 0
              ? "It holds nothing at present."
              : `${session.positions} ${session.positions === 1 ? "position" : "positions"} now`
          }
          checked={isFlat}
          onChange={(event) => setFlat(event.currentTarget.checked)}
        />
        <TextInput
          label={
            <>
              Type <b>{session.name}</b> to confirm
            </>
          }
          autoComplete="off"
          data-autofocus
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        {kill.error && <Alert color="orange">{asProblem(kill.error).message}</Alert>}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Let it trade
          </Button>
          <Button type="submit" color="red.9" disabled={!isRight} loading={kill.isPending}>
            Pull the kill switch
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
