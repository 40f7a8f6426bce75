import { Alert, Button, List, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { asProblem, isAbsent, mayPass } from "../problem";
import { asSentence } from "./format";

/** Say what was refused or failed, with a way to try again where there is one. */
export function ProblemView({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = asProblem(error);
  return (
    <Alert
      color="orange"
      variant="light"
      role="alert"
      icon={<TriangleAlert size={18} aria-hidden />}
      title={problem.title}
    >
      {problem.message !== problem.title && (
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {asSentence(problem.message)}
        </Text>
      )}
      {problem.faults.length > 0 && (
        <List size="sm" mt="xs">
          {problem.faults.map((fault) => (
            <List.Item key={`${fault.field}${fault.message}`}>
              {fault.field && <span className="mela-code">{fault.field}: </span>}
              {fault.message}
            </List.Item>
          ))}
        </List>
      )}
      {onRetry && isAbsent(error) && (
        <Text size="sm" mt="xs">
          It may have been removed, or its owner keeps it private.{" "}
          <Link to="/scenes">Show what there is</Link>
        </Text>
      )}
      {onRetry && mayPass(error) && (
        <Text size="sm" mt="xs">
          Mela is asked again by itself, until it answers.
        </Text>
      )}
      {onRetry && !isAbsent(error) && (
        <Button mt="sm" size="xs" variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}
