import type { Stage } from '../../src/shared/report.ts';
import type { QueueEvent, TestQueue } from '../support/queue.ts';
import type { Cloud } from './cloud.ts';
import type { Answer, Container } from './container.ts';

/** What a test does to a delivery before, or instead of, the function: `true`: it is not delivered. */
export type Meddle = (event: QueueEvent, delivery: number, container: Container) => Promise<boolean>;

/**
 * Lambda's event source mapping: brings the messages of a stage's queue to containers, several at once, each call with
 * as many as was deployed. What fails comes back as if five minutes had passed.
 */
export async function workQueue(
  cloud: Cloud,
  stage: Stage,
  queue: TestQueue,
  workers: number,
  meddle: Meddle = async () => false,
): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  let deliveries = 0;
  const work = async (): Promise<void> => {
    let container = await cloud.anotherContainer(stage);
    for (let event = await queue.receive(); event; event = await queue.receive()) {
      deliveries += 1;
      if (await meddle(event, deliveries, container)) continue;
      const answer = await container.invoke(event).catch(() => null);
      if (answer === null) {
        // It was killed: the message is hidden until the call's time would have been over.
        container = await cloud.anotherContainer(stage);
        await queue.comeBack(event);
        continue;
      }
      answers.push(answer);
      await cloud.heard(answer);
      if (answer.batch) await queue.settle(event, answer.batch);
      if (!answer.batch || answer.batch.batchItemFailures.length > 0) await queue.comeBack(event);
    }
    await container.stop();
  };
  await Promise.all(Array.from({ length: workers }, work));
  return answers;
}
