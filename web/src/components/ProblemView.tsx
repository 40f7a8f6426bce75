import { Alert, Button, List, Text } from "@mantine/core";
import { TriangleAlert } from "lucide-react";
import { asProblem } from "../problem";

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
      {problem.message !== problem.title && <Text size="sm">{problem.message}</Text>}
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
      {onRetry && (
        <Button mt="sm" size="xs" variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}
