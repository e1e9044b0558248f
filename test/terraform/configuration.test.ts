/** What Terraform says of the configuration by itself, without any AWS. */

import { afterAll, describe, expect, test } from 'vitest';
import { copyOfConfiguration, findTerraform, removeTemporary, terraformIn } from './terraform.ts';

const environment = await findTerraform();

afterAll(removeTemporary);

describe.skipIf(environment === null)('the Terraform configuration', () => {
  test.each(['.', 'bootstrap'])('in %s is formatted and valid', async (part) => {
    const terraform = terraformIn(await copyOfConfiguration(part), environment ?? {});
    await terraform.init();
    expect(await terraform.run('fmt', '-check', '-recursive', '-diff')).toBe('');
    expect(await terraform.run('validate', '-no-color')).toContain('Success! The configuration is valid');
  }, 180_000);

  test.each(['.', 'bootstrap'])('in %s passes its own tests', async (part) => {
    const terraform = terraformIn(await copyOfConfiguration(part), environment ?? {});
    await terraform.init();
    expect(await terraform.run('test', '-no-color')).toMatch(/Success! \d+ passed, 0 failed/);
  }, 300_000);
});
