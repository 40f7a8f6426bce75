import { Button, Divider, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { address, rememberCsrfToken } from "../../api";
import { signIn } from "../../client";
import { getAboutOptions } from "../../client/@tanstack/react-query.gen";
import { Entrance } from "../../components/Entrance";
import { ProblemView } from "../../components/ProblemView";
import { localAddress } from "../../search";
import { sessionQuery } from "../../session";

const route = getRouteApi("/sign-in");

export default function SignInPage() {
  const { next } = route.useSearch();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const { data: about } = useQuery(getAboutOptions());
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const enter = useMutation({
    meta: { isSignIn: true },
    mutationFn: () => signIn({ body: { user: user.trim(), password } }),
    onSuccess: async ({ data: me }) => {
      rememberCsrfToken(me.csrf_token ?? "");
      queryClient.clear();
      queryClient.setQueryData(sessionQuery.queryKey, me);
      const goal = localAddress(next);
      if (me.must_change_password) await navigate({ to: "/password", search: { next: goal } });
      else await navigate({ href: goal, replace: true });
    },
  });
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    enter.mutate();
  };

  return (
    <Entrance title="Mela" hint="Sign in to ask scenes and read their results.">
      <title>Sign in · Mela</title>
      <form onSubmit={onSubmit}>
        <Stack gap="sm">
          <TextInput
            label="User"
            name="username"
            autoComplete="username"
            autoFocus
            required
            withAsterisk={false}
            value={user}
            onChange={(event) => setUser(event.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            name="password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {enter.isError && <ProblemView error={enter.error} />}
          <Button type="submit" loading={enter.isPending} fullWidth>
            Sign in
          </Button>
        </Stack>
      </form>
      {about?.has_oidc && (
        <>
          <Divider label="or" />
          <Button
            component="a"
            variant="default"
            fullWidth
            href={address("/oidc/login", { next: localAddress(next) })}
          >
            Sign in with your organisation
          </Button>
        </>
      )}
      <Text size="sm" className="mela-muted">
        {about?.is_registration_open ? (
          <>
            New here? <Link to="/register">Make an account</Link>.
          </>
        ) : (
          "No account yet? An administrator of Mela can send you an invitation."
        )}
      </Text>
    </Entrance>
  );
}
