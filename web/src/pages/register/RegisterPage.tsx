import { Button, Stack, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { rememberCsrfToken } from "../../api";
import { checkInvitation, register } from "../../client";
import { getAboutOptions } from "../../client/@tanstack/react-query.gen";
import { EmptyState } from "../../components/EmptyState";
import { Entrance } from "../../components/Entrance";
import { NewPassword, newPasswordFault } from "../../components/NewPassword";
import { PageLoading } from "../../components/PageLoading";
import { ProblemView } from "../../components/ProblemView";
import { sessionQuery } from "../../session";

/**
 * Return the secret of an invitation's link. It stands behind `#`, which browsers send to nobody, so that
 * it is in no log.
 */
function invitationOf(hash: string): string | undefined {
  return hash.replace(/^#/, "") || undefined;
}

/** Make an account: with an invitation, or without one where the team allows that. */
export default function RegisterPage() {
  const invitation = useLocation({ select: ({ hash }) => invitationOf(hash) });
  const about = useQuery(getAboutOptions());
  const check = useQuery({
    queryKey: ["invitation", invitation],
    queryFn: async ({ signal }) =>
      (await checkInvitation({ headers: { "x-invitation": invitation ?? "" }, signal })).data,
    enabled: invitation !== undefined,
    retry: false,
  });
  if (about.isPending || (invitation && check.isPending)) return <PageLoading />;
  return (
    <Entrance title="Make an account" hint={check.data && `You are invited as a ${check.data.role}.`}>
      <title>Make an account · Mela</title>
      {check.isError ? (
        <ProblemView error={check.error} />
      ) : !invitation && !about.data?.is_registration_open ? (
        <EmptyState title="An invitation is needed">
          Ask an administrator of Mela for a link. Have you an account already?{" "}
          <Link to="/sign-in">Sign in</Link>.
        </EmptyState>
      ) : (
        <RegisterForm invitation={invitation} />
      )}
    </Entrance>
  );
}

function RegisterForm({ invitation }: { invitation?: string }) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [user, setUser] = useState("");
  const [chosen, setChosen] = useState({ password: "", again: "" });
  const [isAsked, setAsked] = useState(false);
  const enter = useMutation({
    meta: { isSignIn: true },
    mutationFn: () => register({ body: { invitation, user: user.trim(), password: chosen.password } }),
    onSuccess: async ({ data: me }) => {
      rememberCsrfToken(me.csrf_token ?? "");
      queryClient.clear();
      queryClient.setQueryData(sessionQuery.queryKey, me);
      await navigate({ to: "/scenes", replace: true });
    },
  });
  const fault = newPasswordFault(chosen);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (!fault) enter.mutate();
  };
  return (
    <form onSubmit={onSubmit}>
      <Stack gap="sm">
        <TextInput
          label="User"
          description="The team sees this name beside your scenes."
          autoComplete="username"
          required
          withAsterisk={false}
          value={user}
          onChange={(event) => setUser(event.currentTarget.value)}
        />
        <NewPassword value={chosen} onChange={setChosen} fault={isAsked ? fault : null} />
        {enter.isError && <ProblemView error={enter.error} />}
        <Button type="submit" loading={enter.isPending}>
          Make the account
        </Button>
      </Stack>
    </form>
  );
}
