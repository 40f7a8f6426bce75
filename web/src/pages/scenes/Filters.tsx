import { Autocomplete, Button, CloseButton, Collapse, Group, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback, useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useEffect, useState } from "react";
import { listSeriesOptions, listStrategiesOptions } from "../../client/@tanstack/react-query.gen";
import type { ScenesSearch } from "../../routes";
import { isFiltered, STATES } from "./filter";
import styles from "./Scenes.module.css";

interface Props {
  search: ScenesSearch;
  onSearch: (change: Partial<ScenesSearch>) => void;
}

const TYPING_MS = 300;
const LATE: readonly (keyof ScenesSearch)[] = ["interval", "start", "end", "tag"];

/** What the list leaves out. All of it stands in the address, so that a link shows the same list. */
export function Filters({ search, onSearch }: Props) {
  const { data: strategies } = useQuery({ ...listStrategiesOptions(), staleTime: 60_000 });
  const { data: series } = useQuery({ ...listSeriesOptions(), staleTime: 60_000 });
  const [isOpen, more] = useDisclosure(LATE.some((name) => search[name] !== undefined));
  const instruments = [...new Set(series?.items.map((one) => one.instrument))];
  const intervals = [...new Set(series?.items.map((one) => one.interval))];

  return (
    <search className={styles.filters}>
      <Typed
        name="text"
        label="Search in name, note and tags"
        placeholder="Search (/)"
        search={search}
        onSearch={onSearch}
        isSearch
      />
      <Select
        aria-label="State"
        placeholder="Any state"
        clearable
        data={STATES.map(String)}
        value={search.state ?? null}
        onChange={(state) => onSearch({ state: state ?? undefined })}
        w={136}
      />
      <Select
        aria-label="Strategy"
        placeholder="Any strategy"
        clearable
        searchable
        data={strategies?.items.map((one) => one.name) ?? []}
        value={search.strategy ?? null}
        onChange={(strategy) => onSearch({ strategy: strategy ?? undefined })}
        w={172}
      />
      <Picked
        name="instrument"
        label="Instrument"
        placeholder="Any instrument"
        data={instruments}
        search={search}
        onSearch={onSearch}
      />
      <Select
        aria-label="Owner"
        placeholder="Anybody's"
        clearable
        data={[
          { value: "me", label: "mine" },
          ...(search.owner && search.owner !== "me" ? [search.owner] : []),
        ]}
        value={search.owner ?? null}
        onChange={(owner) => onSearch({ owner: owner ?? undefined })}
        w={124}
      />
      <Button variant="subtle" onClick={more.toggle} aria-expanded={isOpen}>
        {isOpen ? "Fewer filters" : "More filters"}
      </Button>
      {isFiltered(search) && (
        <Button
          variant="subtle"
          color="gray"
          onClick={() =>
            onSearch(Object.fromEntries(Object.keys(search).map((name) => [name, undefined])) as ScenesSearch)
          }
        >
          Show all
        </Button>
      )}
      <Collapse expanded={isOpen} className={styles.more}>
        <Group gap="xs">
          <Select
            aria-label="Interval"
            placeholder="Any interval"
            clearable
            data={intervals}
            value={search.interval ?? null}
            onChange={(interval) => onSearch({ interval: interval ?? undefined })}
            w={136}
          />
          <Day name="start" label="Span from (UTC)" search={search} onSearch={onSearch} />
          <Day name="end" label="Span until (UTC)" search={search} onSearch={onSearch} />
          <Typed name="tag" label="Tag" placeholder="Tag" search={search} onSearch={onSearch} />
        </Group>
      </Collapse>
    </search>
  );
}

interface FieldProps extends Props {
  name: keyof ScenesSearch;
  label: string;
  placeholder?: string;
}

/** A field whose text is asked for when the typing pauses. */
function Typed({
  name,
  label,
  placeholder,
  search,
  onSearch,
  isSearch,
}: FieldProps & { isSearch?: boolean }) {
  const [value, setValue] = useState(search[name] ?? "");
  const send = useDebouncedCallback(
    (text: string) => onSearch({ [name]: text.trim() || undefined }),
    TYPING_MS,
  );
  useEffect(() => setValue(search[name] ?? ""), [search[name], name]);
  const set = (text: string) => {
    setValue(text);
    send(text);
  };
  return (
    <TextInput
      aria-label={label}
      placeholder={placeholder}
      data-search={isSearch || undefined}
      leftSection={isSearch && <Search size={14} aria-hidden />}
      rightSection={value && <CloseButton size="sm" aria-label={`Clear: ${label}`} onClick={() => set("")} />}
      value={value}
      onChange={(event) => set(event.currentTarget.value)}
      className={isSearch ? styles.search : undefined}
    />
  );
}

function Picked({ name, label, placeholder, data, search, onSearch }: FieldProps & { data: string[] }) {
  const [value, setValue] = useState(search[name] ?? "");
  useEffect(() => setValue(search[name] ?? ""), [search[name], name]);
  const send = (text: string) => onSearch({ [name]: text.trim() || undefined });
  return (
    <Autocomplete
      aria-label={label}
      placeholder={placeholder}
      data={data}
      limit={20}
      clearable
      value={value}
      onChange={setValue}
      onOptionSubmit={send}
      onClear={() => send("")}
      onBlur={() => value !== (search[name] ?? "") && send(value)}
      onKeyDown={(event) => event.key === "Enter" && send(value)}
      w={190}
    />
  );
}

function Day({ name, label, search, onSearch }: FieldProps) {
  return (
    <TextInput
      type="date"
      aria-label={label}
      title={label}
      value={search[name]?.slice(0, 10) ?? ""}
      onChange={(event) => onSearch({ [name]: event.currentTarget.value || undefined })}
      w={150}
    />
  );
}
