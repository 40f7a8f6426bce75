import { Button, Group, Menu, Modal, Text, Title, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronDown, Copy, Lock, Pencil, RotateCcw, Square } from "lucide-react";
import { cancelScene, rerunScene, type SceneDetail } from "../../client";
import { Instant } from "../../components/Instant";
import { StateBadge } from "../../components/StateBadge";
import { Tags } from "../../components/Tags";
import { asProblem } from "../../problem";
import { may, useMe } from "../../session";
import { outcomeOf } from "../scenes/SceneProgress";
import { sceneName } from "../scenes/sceneColumns";
import { EditCard } from "./EditCard";
import { hasEnded } from "./states";

/** What a scene is called, whose it is, and what can be done with it. */
export function Heading({ scene }: { scene: SceneDetail }) {
  const me = useMe();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [isEditing, editing] = useDisclosure(false);
  const [isAsking, asking] = useDisclosure(false);
  const path = { scene_id: scene.scene_id };
  const failed = (title: string) => (error: unknown) =>
    notifications.show({ color: "orange", title, message: asProblem(error).message, autoClose: 10_000 });
  const reread = () =>
    queryClient.invalidateQueries({ predicate: ({ queryKey }) => isOf(queryKey[0], scene.scene_id) });
  const cancel = useMutation({
    mutationFn: () => cancelScene({ path }),
    onSuccess: () => {
      asking.close();
      void reread();
    },
    onError: failed("The scene was not cancelled"),
  });
  const rerun = useMutation({
    mutationFn: () => rerunScene({ path }),
    onSuccess: ({ data }) => {
      if (!data.is_new) {
        notifications.show({ title: "Asked already", message: "The same scene is running; here it is." });
      }
      void navigate({ to: "/scenes/$sceneId", params: { sceneId: data.scene_id } });
    },
    onError: failed("The scene was not asked again"),
  });
  const isTrader = may(me, "trader");
  return (
    <Group justify="space-between" align="flex-start" gap="xs">
      <div style={{ minWidth: 0 }}>
        <Group gap="xs">
          {scene.is_private && (
            <Tooltip label="Private: only you see it.">
              <Lock size={16} aria-label="private" />
            </Tooltip>
          )}
          <Title order={1}>{sceneName(scene)}</Title>
          <span data-scene-state={scene.state}>
            <StateBadge state={outcomeOf(scene)} />
          </span>
          <Tags tags={scene.tags} />
        </Group>
        <Text size="sm" className="mela-muted">
          {scene.owner ? `${scene.owner}, ` : ""}
          asked <Instant at={scene.received_at} />
          {scene.finished_at && (
            <>
              , finished <Instant at={scene.finished_at} />
            </>
          )}
          {scene.rerun_of && (
            <>
              , again of{" "}
              <Link to="/scenes/$sceneId" params={{ sceneId: scene.rerun_of }}>
                an earlier scene
              </Link>
            </>
          )}
        </Text>
        {scene.note && (
          <Text size="sm" mt={4} style={{ whiteSpace: "pre-wrap" }} maw={860}>
            {scene.note}
          </Text>
        )}
      </div>
      {isTrader && (
        <Group gap="xs">
          {!hasEnded(scene.state) && (
            <Button
              size="xs"
              variant="default"
              leftSection={<Square size={13} aria-hidden />}
              onClick={asking.open}
            >
              Cancel
            </Button>
          )}
          <Button
            size="xs"
            variant="default"
            leftSection={<Copy size={14} aria-hidden />}
            renderRoot={(props) => <Link {...props} to="/scenes/new" search={{ from: scene.scene_id }} />}
          >
            Start from this scene
          </Button>
          <Menu position="bottom-end">
            <Menu.Target>
              <Button size="xs" variant="default" rightSection={<ChevronDown size={14} aria-hidden />}>
                More
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {hasEnded(scene.state) && (
                <Menu.Item
                  leftSection={<RotateCcw size={14} aria-hidden />}
                  onClick={() => rerun.mutate()}
                  disabled={rerun.isPending}
                >
                  Ask again
                </Menu.Item>
              )}
              {scene.is_mine && (
                <Menu.Item leftSection={<Pencil size={14} aria-hidden />} onClick={editing.open}>
                  Name, note, tags
                </Menu.Item>
              )}
              {scene.mlflow_url && (
                <Menu.Item component="a" href={scene.mlflow_url} target="_blank" rel="noreferrer">
                  Compare in MLflow
                </Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        </Group>
      )}
      <EditCard scene={scene} isOpen={isEditing} onClose={editing.close} />
      <Modal opened={isAsking} onClose={asking.close} title="Cancel this scene?" size="sm">
        <Text size="sm">
          Runs that are answered stay. Those that have not begun will not be executed. This cannot be taken
          back.
        </Text>
        <Group mt="md" justify="flex-end">
          <Button variant="default" onClick={asking.close}>
            Let it run
          </Button>
          <Button color="orange.9" onClick={() => cancel.mutate()} loading={cancel.isPending}>
            Cancel the scene
          </Button>
        </Group>
      </Modal>
    </Group>
  );
}

function isOf(key: unknown, sceneId: string): boolean {
  const { _id, path } = (key ?? {}) as { _id?: string; path?: { scene_id?: string } };
  return _id === "listScenes" || path?.scene_id === sceneId;
}
