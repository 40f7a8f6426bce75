import { Kbd, Modal, Table, Text } from "@mantine/core";
import { PLACES } from "./places";

/** The keys that work on every page. */
export function Help({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Modal opened={isOpen} onClose={onClose} title="Keys" size="sm">
      <Table verticalSpacing={6}>
        <Table.Tbody>
          <Row keys={["/"]} does="search on this page" />
          <Row keys={["n"]} does="new scene" />
          {PLACES.map((place) => (
            <Row key={place.to} keys={["g", place.key]} does={`go to ${place.label}`} />
          ))}
          <Row keys={["?"]} does="this list" />
          <Row keys={["Esc"]} does="close" />
        </Table.Tbody>
      </Table>
      <Text size="xs" mt="sm" className="mela-muted">
        In tables: Tab to a heading and Enter to sort; arrow keys move from row to row.
      </Text>
    </Modal>
  );
}

function Row({ keys, does }: { keys: string[]; does: string }) {
  return (
    <Table.Tr>
      <Table.Td w={90}>
        {keys.map((key) => (
          <Kbd key={key} mr={4}>
            {key}
          </Kbd>
        ))}
      </Table.Td>
      <Table.Td>{does}</Table.Td>
    </Table.Tr>
  );
}
