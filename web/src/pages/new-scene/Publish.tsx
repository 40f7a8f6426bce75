import { Button, Stack, Switch, TagsInput, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Send } from "lucide-react";
import { useRef } from "react";
import { publishScene } from "../../client";
import { ProblemView } from "../../components/ProblemView";
import { asProblem } from "../../problem";
import type { Draft } from "./draft";
import type { Fields } from "./sceneText";

interface Props {
  scene: Fields;
  draft: Draft;
  onDraft: (change: Partial<Draft>) => void;
  isReady: boolean;
  onPublished: () => void;
}

/** What the team reads of a scene, and the button that asks it. */
export function Publish({ scene, draft, onDraft, isReady, onPublished }: Props) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const asked = {
    scene,
    name: draft.name.trim() || null,
    note: draft.note,
    tags: draft.tags,
    is_private: draft.isPrivate,
  };
  // The same question keeps its key, so that a second try after a cut asks no second scene.
  const key = useRef<{ of: string; value: string } | null>(null);
  const publish = useMutation({
    mutationFn: () => {
      const of = JSON.stringify(asked);
      if (key.current?.of !== of) key.current = { of, value: newKey() };
      return publishScene({ body: asked, headers: { "Idempotency-Key": key.current.value } });
    },
    retry: (failures, error) => failures < 2 && [0, 502, 503, 504].includes(asProblem(error).status),
    onSuccess: async ({ data: row }) => {
      onPublished();
      void queryClient.invalidateQueries({ queryKey: ["session"] });
      await navigate({ to: "/scenes/$sceneId", params: { sceneId: row.scene_id } });
    },
  });
  return (
    <Stack gap="xs">
      <TextInput
        label="Name"
        placeholder="What you want to find out"
        maxLength={200}
        value={draft.name}
        onChange={(event) => onDraft({ name: event.currentTarget.value })}
      />
      <TagsInput
        label="Tags"
        maxTags={20}
        value={draft.tags}
        onChange={(tags) => onDraft({ tags })}
        clearable={false}
      />
      <Textarea
        label="Note"
        autosize
        minRows={2}
        maxRows={8}
        maxLength={10_000}
        value={draft.note}
        onChange={(event) => onDraft({ note: event.currentTarget.value })}
      />
      <Switch
        label="Private"
        description="Only you see it and its results."
        checked={draft.isPrivate}
        onChange={(event) => onDraft({ isPrivate: event.currentTarget.checked })}
      />
      {publish.isError && <ProblemView error={publish.error} />}
      <Button
        leftSection={<Send size={16} aria-hidden />}
        onClick={() => publish.mutate()}
        loading={publish.isPending}
        disabled={!isReady}
      >
        Publish
      </Button>
      {!isReady && (
        <Text size="xs" className="mela-muted">
          It can be published when nothing is wrong with it.
        </Text>
      )}
    </Stack>
  );
}

/** Return a key that nobody else makes; `randomUUID` wants https or loopback, this does not. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
