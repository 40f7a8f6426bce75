import { Badge } from "@mantine/core";
import { Link } from "@tanstack/react-router";

/** Tags of a scene; each shows the scenes that have it, too. */
export function Tags({ tags }: { tags: readonly string[] }) {
  return (
    <>
      {tags.map((tag) => (
        <Badge key={tag} size="sm" variant="default" tt="none" fw={500} renderRoot={linkTo(tag)}>
          {tag}
        </Badge>
      ))}
    </>
  );
}

function linkTo(tag: string) {
  return (props: object) => <Link {...props} to="/scenes" search={{ tag }} />;
}
