import { Button, Group, Modal, Stack, Switch, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { changeScene, type SceneDetail } from "../../client";
import { ProblemView } from "../../components/ProblemView";

interface Props {
  scene: SceneDetail;
  isOpen: boolean;
  onClose: () => void;
}

/** Change what the team reads of a scene. The question and its answer stay as they are. */
export function EditCard({ scene, isOpen, onClose }: Props) {
  return (
    <Modal opened={isOpen} onClose={onClose} title="Name, note, tags" size="md">
      {isOpen && <CardForm scene={scene} onClose={onClose} />}
    </Modal>
  );
}

function CardForm({ scene, onClose }: { scene: SceneDetail; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [name, setName] = useState(scene.name ?? "");
  const [note, setNote] = useState(scene.note);
  const [tags, setTags] = useState([...scene.tags]);
  const [isPrivate, setPrivate] = useState(scene.is_private);
  const change = useMutation({
    mutationFn: () =>
      changeScene({
        path: { scene_id: scene.scene_id },
        body: { name: name.trim() || null, note, tags, is_private: isPrivate },
      }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({
        predicate: ({ queryKey }) => {
          const key = queryKey[0] as { _id?: string } | undefined;
          return key?._id === "listScenes" || key?._id === "getScene";
        },
      });
      onClose();
    },
  });
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <form onSubmit={onSubmit}>
      <Stack gap="sm">
        <TextInput
          label="Name"
          maxLength={200}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TagsInput label="Tags" maxTags={20} value={tags} onChange={setTags} clearable={false} />
        <Textarea
          label="Note"
          autosize
          minRows={3}
          maxRows={12}
          maxLength={10_000}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
        <Switch
          label="Private"
          description="Only you see it and its results."
          checked={isPrivate}
          onChange={(event) => setPrivate(event.currentTarget.checked)}
        />
        {change.isError && <ProblemView error={change.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Leave it as it is
          </Button>
          <Button type="submit" loading={change.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
