export default function NewScenePage() {
  return null;
}
