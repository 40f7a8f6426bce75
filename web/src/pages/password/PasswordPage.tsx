import { Button, PasswordInput, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { changePassword } from "../../client";
import { Entrance } from "../../components/Entrance";
import { NewPassword, newPasswordFault } from "../../components/NewPassword";
import { ProblemView } from "../../components/ProblemView";
import { localAddress } from "../../search";
import { sessionQuery, useMe } from "../../session";

const route = getRouteApi("/password");

/** Change one's password: asked for after the first sign-in, and reached from the account. */
export default function PasswordPage() {
  const { next } = route.useSearch();
  const me = useMe();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [current, setCurrent] = useState("");
  const [chosen, setChosen] = useState({ password: "", again: "" });
  const [isAsked, setAsked] = useState(false);
  const change = useMutation({
    meta: { isSignIn: true },
    mutationFn: () => changePassword({ body: { current, new: chosen.password } }),
    onSuccess: async () => {
      await queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 });
      await navigate({ href: localAddress(next), replace: true });
    },
  });
  const fault = newPasswordFault(chosen);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (!fault) change.mutate();
  };

  return (
    <Entrance
      title="Choose a new password"
      hint={
        me.must_change_password
          ? `The password of ${me.user} was made for the first sign-in only.`
          : `For ${me.user}. Your other sessions and all tokens will end.`
      }
    >
      <title>New password · Mela</title>
      <form onSubmit={onSubmit}>
        <Stack gap="sm">
          <input hidden name="username" autoComplete="username" value={me.user} readOnly />
          <PasswordInput
            label="Password so far"
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
          />
          <NewPassword value={chosen} onChange={setChosen} fault={isAsked ? fault : null} />
          {change.isError && <ProblemView error={change.error} />}
          <Button type="submit" loading={change.isPending}>
            Change the password
          </Button>
          {!me.must_change_password && (
            <Button variant="subtle" onClick={() => void navigate({ href: localAddress(next) })}>
              Leave it as it is
            </Button>
          )}
        </Stack>
      </form>
    </Entrance>
  );
}
