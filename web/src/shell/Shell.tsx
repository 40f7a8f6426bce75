import {
  ActionIcon,
  Burger,
  Button,
  Drawer,
  Menu,
  UnstyledButton,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouter } from "@tanstack/react-router";
import { CircleHelp, Monitor, Moon, Plus, Sun, UserRound } from "lucide-react";
import { remove } from "../api";
import type { Me } from "../client";
import { Freshness } from "../components/Answer";
import { LiveState } from "../components/LiveState";
import { PageLoading } from "../components/PageLoading";
import { may, sessionQuery } from "../session";
import { EventsProvider } from "../useEvents";
import { Help } from "./Help";
import { Mark } from "./Mark";
import { PLACES } from "./places";
import styles from "./Shell.module.css";
import { useKeys } from "./useKeys";

/** The frame around every page behind the sign-in: where one is, where one can go, who one is. */
export function Shell() {
  const { data: me } = useQuery(sessionQuery);
  // Signed out elsewhere: the router leads to the sign-in, and no page is left to need somebody.
  return me ? <Frame me={me} /> : <PageLoading />;
}

function Frame({ me }: { me: Me }) {
  const navigate = useNavigate();
  const [isHelpOpen, help] = useDisclosure(false);
  const [isDrawerOpen, drawer] = useDisclosure(false);
  const places = PLACES.filter((place) => may(me, place.role));

  useKeys({
    "?": help.open,
    "/": () => document.querySelector<HTMLElement>("[data-search]")?.focus(),
    n: () => void (may(me, "trader") && navigate({ to: "/scenes/new" })),
    ...Object.fromEntries(places.map((place) => [`g ${place.key}`, () => void navigate({ to: place.to })])),
  });

  return (
    <EventsProvider key={me.user} user={me.user}>
      <a href="#main" className={styles.skip}>
        Skip to the page
      </a>
      <header className={styles.header}>
        <Burger
          className={styles.burger}
          opened={isDrawerOpen}
          onClick={drawer.toggle}
          size="sm"
          aria-label="Navigation"
        />
        <Link to="/scenes" className={styles.brand} aria-label="Mela, to the scenes">
          <Mark />
          <span>Mela</span>
        </Link>
        <nav className={styles.links} aria-label="Pages">
          {places.map((place) => (
            <Link key={place.to} to={place.to} className={styles.link}>
              {place.label}
            </Link>
          ))}
        </nav>
        <div className={styles.spring} />
        <LiveState />
        {may(me, "trader") && (
          <>
            <Button
              className={styles.wide}
              size="xs"
              leftSection={<Plus size={14} aria-hidden />}
              renderRoot={NewSceneLink}
            >
              New scene
            </Button>
            <ActionIcon className={styles.narrow} size="lg" aria-label="New scene" renderRoot={NewSceneLink}>
              <Plus size={18} aria-hidden />
            </ActionIcon>
          </>
        )}
        <ActionIcon
          className={styles.wide}
          variant="subtle"
          color="gray"
          aria-label="Keys"
          title="Keys (?)"
          onClick={help.open}
        >
          <CircleHelp size={18} aria-hidden />
        </ActionIcon>
        <SchemeMenu />
        <AccountMenu user={me.user} role={me.role} />
      </header>
      <Drawer opened={isDrawerOpen} onClose={drawer.close} size="xs" title="Mela">
        <nav aria-label="Pages">
          {places.map((place) => (
            <Link key={place.to} to={place.to} className={styles.drawerLink} onClick={drawer.close}>
              {place.label}
            </Link>
          ))}
        </nav>
      </Drawer>
      <Help isOpen={isHelpOpen} onClose={help.close} />
      <main id="main" className={styles.main}>
        <Freshness />
        <Outlet />
      </main>
    </EventsProvider>
  );
}

function NewSceneLink(props: object) {
  return <Link {...props} to="/scenes/new" />;
}

const SCHEMES = [
  { name: "auto", label: "As the system", Icon: Monitor },
  { name: "light", label: "Light", Icon: Sun },
  { name: "dark", label: "Dark", Icon: Moon },
] as const;

function SchemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { Icon } = SCHEMES.find((scheme) => scheme.name === colorScheme) ?? SCHEMES[0];
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label="Light or dark">
          <Icon size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map((scheme) => (
          <Menu.Item
            key={scheme.name}
            leftSection={<scheme.Icon size={16} aria-hidden />}
            onClick={() => setColorScheme(scheme.name)}
          >
            {scheme.label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function AccountMenu({ user, role }: { user: string; role: string }) {
  const queryClient = useQueryClient();
  const router = useRouter();
  const navigate = useNavigate();
  const signOut = async () => {
    await remove("/session");
    queryClient.clear();
    await router.invalidate();
    await navigate({ to: "/sign-in" });
  };
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <UnstyledButton aria-label={`Account of ${user}`} title={`${user}, ${role}`}>
          <UserRound size={20} aria-hidden />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {user} · {role}
        </Menu.Label>
        <Menu.Item renderRoot={AccountLink}>Account</Menu.Item>
        <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function AccountLink(props: object) {
  return <Link {...props} to="/account" />;
}
