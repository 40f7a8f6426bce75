import { Button, Stack, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { get, post } from "../../api";
import { getAboutOptions } from "../../client/@tanstack/react-query.gen";
import { EmptyState } from "../../components/EmptyState";
import { Entrance } from "../../components/Entrance";
import { NewPassword, newPasswordFault } from "../../components/NewPassword";
import { PageLoading } from "../../components/PageLoading";
import { ProblemView } from "../../components/ProblemView";

const route = getRouteApi("/register");

/** Make an account: with an invitation, or without one where the team allows that. */
export default function RegisterPage() {
  const { invitation } = route.useSearch();
  const about = useQuery(getAboutOptions());
  const check = useQuery({
    queryKey: ["invitation", invitation],
    queryFn: ({ signal }) =>
      get<{ role: string; invited_by: string | null }>("/invitations/check", { invitation }, signal),
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
  const [user, setUser] = useState("");
  const [chosen, setChosen] = useState({ password: "", again: "" });
  const [isAsked, setAsked] = useState(false);
  const register = useMutation({
    meta: { isSignIn: true },
    mutationFn: () => post("/registrations", { invitation, user: user.trim(), password: chosen.password }),
    onSuccess: () => navigate({ to: "/sign-in" }),
  });
  const fault = newPasswordFault(chosen);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (!fault) register.mutate();
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
        {register.isError && <ProblemView error={register.error} />}
        <Button type="submit" loading={register.isPending}>
          Make the account
        </Button>
      </Stack>
    </form>
  );
}
